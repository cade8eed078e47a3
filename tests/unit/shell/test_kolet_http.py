"""kolet's HTTP server, one connection at a time, as systemd-socket-activate would start it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import kola.shell

SERVER = Path(kola.shell.__file__).parent / "guest/kolet-http"


@pytest.fixture
def served(tmp_path: Path) -> Path:
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    (top / "sub/with blank.txt").write_bytes(b"in a subdirectory\n")
    (top / "binary").write_bytes(bytes(range(256)) * 400)
    (top / "site").mkdir()
    (top / "site/index.html").write_text("<h1>index</h1>")
    (tmp_path / "secret").write_text("secret")
    return top


def ask(top: Path, request: str) -> tuple[str, dict[str, str], bytes]:
    done = subprocess.run(["bash", SERVER], cwd=top, input=request.encode(), capture_output=True, timeout=20)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status, dict(line.lower().split(": ", 1) for line in lines), body


def get(top: Path, path: str, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
    return ask(top, f"{method} {path} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")


def test_a_file_comes_as_it_is(served: Path) -> None:
    status, headers, body = get(served, "/binary?query")
    assert status == "HTTP/1.1 200 OK"
    assert headers["content-length"] == str(256 * 400)
    assert body == (served / "binary").read_bytes()


def test_head_sends_no_body(served: Path) -> None:
    status, headers, body = get(served, "/binary", "HEAD")
    assert (status, headers["content-length"], body) == ("HTTP/1.1 200 OK", str(256 * 400), b"")


@pytest.mark.parametrize(
    "path", ["/sub/with%20blank.txt", "sub/with%20blank.txt", "http://host/sub/with%20blank.txt"]
)
def test_paths_are_unescaped_in_each_form(served: Path, path: str) -> None:
    assert get(served, path)[2] == b"in a subdirectory\n"


def test_directories_are_listed_or_show_their_index(served: Path) -> None:
    _, headers, body = get(served, "/")
    assert b'href="sub/"' in body
    assert headers["content-length"] == str(len(body))
    assert b"with blank.txt" in get(served, "/sub")[2]
    assert get(served, "/site/")[2] == b"<h1>index</h1>"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/none", "404"), ("/../secret", "400"), ("/sub/%2e%2e/%2e%2e/secret", "400"), ("/..", "400")],
)
def test_nothing_outside_is_served(served: Path, path: str, status: str) -> None:
    answer, _, body = get(served, path)
    assert answer.split()[1] == status
    assert b"secret" not in body


def test_other_methods_are_refused(served: Path) -> None:
    assert get(served, "/binary", "DELETE")[0].split()[1] == "501"


def test_nobody_there_is_no_error(served: Path) -> None:
    done = subprocess.run(["bash", SERVER], cwd=served, input=b"", capture_output=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
