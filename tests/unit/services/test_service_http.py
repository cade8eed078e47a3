"""The file server: contents, ranges, entity tags, TLS, many at once, gone when stopped."""

from __future__ import annotations

import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service_calls import ask, connection, fetch

from harness.services import HttpServer, Reply, Services
from harness.services.authority import Authority
from harness.services.content import byte_range

CONTENT = {"text": "hello\n", "bytes": bytes(range(256)), "no": Reply(503, b"later", {"Retry-After": "1"})}


@pytest.fixture
def http(services: Services) -> HttpServer:
    return services.http(CONTENT)


def test_it_gives_what_it_was_given(http: HttpServer) -> None:
    assert fetch(http.listener, "/text").body == b"hello\n"
    assert fetch(http.listener, "/text?query=1").body == b"hello\n"
    assert fetch(http.listener, "/other").status == 404
    reply = fetch(http.listener, "/no")
    assert (reply.status, reply.body, reply.headers["Retry-After"]) == (503, b"later", "1")
    http.put("/text", "changed\n")
    assert fetch(http.listener, "/text").body == b"changed\n"


def test_it_gives_the_files_of_a_directory_and_none_outside(services: Services, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub/a file").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    (root / "link").symlink_to(tmp_path / "secret")
    http = services.http(root)
    assert fetch(http.listener, "/sub/a%20file").body == b"inside"
    for path in ("/../secret", "/%2e%2e/secret", "/link", "/sub", "/", "//etc/passwd"):
        assert fetch(http.listener, path).status == 404, path


def test_ranges(http: HttpServer) -> None:
    part = fetch(http.listener, "/bytes", Range="bytes=10-19")
    assert (part.status, part.headers["Content-Range"]) == (206, "bytes 10-19/256")
    assert part.body == bytes(range(10, 20))
    assert fetch(http.listener, "/bytes", Range="bytes=250-").body == bytes(range(250, 256))
    assert fetch(http.listener, "/bytes", Range="bytes=-3").body == bytes(range(253, 256))
    outside = fetch(http.listener, "/bytes", Range="bytes=256-")
    assert (outside.status, outside.headers["Content-Range"]) == (416, "bytes */256")
    changed = fetch(http.listener, "/bytes", Range="bytes=1-2", If_Range='"another"')
    assert (changed.status, len(changed.body)) == (200, 256)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", range(0, 1)),
        ("bytes=0-999", range(0, 10)),
        ("bytes=-99", range(0, 10)),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("", None),
    ],
)
def test_a_range_header_is_read_as_the_standard_says(header: str, expected: range | None) -> None:
    assert byte_range(header, 10) == expected


def test_an_empty_file_has_no_bytes_to_ask_for() -> None:
    for header in ("bytes=0-", "bytes=-0", "bytes=-5"):
        with pytest.raises(ValueError, match="of 0 bytes"):
            byte_range(header, 0)


def test_one_connection_serves_many_requests_and_head_has_no_body(http: HttpServer) -> None:
    line = connection(http.listener)
    head = ask(line, "/bytes", method="HEAD")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "256", b"")
    tag = head.headers["ETag"]
    assert ask(line, "/bytes", headers={"If-None-Match": tag}).status == 304
    assert ask(line, "/bytes", headers={"If-None-Match": '"other"'}).status == 200
    assert ask(line, "/text", method="POST").status == 501
    line.close()


def test_requests_are_recorded_and_logged(http: HttpServer, tmp_path: Path) -> None:
    fetch(http.listener, "/text?x=1", Range="bytes=1-2", User_Agent="Ignition/2.14")
    fetch(http.listener, "/other")
    first, second = http.requests
    assert (first.method, first.path, first.status) == ("GET", "/text", 206)
    assert first.headers["user-agent"] == "Ignition/2.14"
    assert (second.target, second.status) == ("/other", 404)
    assert http.requests_for("text") == [first]
    log = (tmp_path / "services/http.log").read_text().splitlines()
    assert "GET /text?x=1 206 bytes=1-2" in log[0]
    assert "GET /other 404" in log[1]


def test_many_at_once(services: Services) -> None:
    data = bytes(range(256)) * 4096
    http = services.http({"big": data})
    idle = [http.listener.connect() for _ in range(20)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: fetch(http.listener, "/big").body == data, range(32)))
    assert answers == [True] * 32
    assert len(http.requests) == 32
    for line in idle:
        line.close()


def test_tls_is_trusted_by_those_who_know_the_authority(services: Services) -> None:
    https = services.https(CONTENT)
    assert https.url("text") == "https://10.0.2.110/text"
    knows = ssl.create_default_context(cadata=services.authority_pem)
    for name in ("10.0.2.110", "https.kola.test", "registry.kola.test"):
        line = connection(https.listener, knows, name)
        assert ask(line, "/text").body == b"hello\n"
        line.close()
    for context, name in (
        (ssl.create_default_context(), "10.0.2.110"),
        (ssl.create_default_context(cadata=Authority().pem), "10.0.2.110"),
        (knows, "example.org"),
    ):
        with pytest.raises(ssl.SSLCertVerificationError):
            connection(https.listener, context, name)
    https.stop()
    assert (services.directory / "https.log").read_text().count("TLS handshake failed") == 3


def test_stopped_it_is_gone_whatever_was_under_way(services: Services) -> None:
    before = threading.active_count()
    https = services.https({"big": b"x" * (64 << 20)})
    knows = ssl.create_default_context(cadata=services.authority_pem)
    idle = https.listener.connect()
    reading = connection(https.listener, knows, "10.0.2.110")
    reading.request("GET", "/big")
    assert reading.getresponse().read(10) == b"x" * 10
    started = time.monotonic()
    https.stop()
    assert time.monotonic() - started < 4
    assert threading.active_count() == before
    assert not https.listener.listening
    with pytest.raises(ConnectionRefusedError):
        https.listener.connect()
    assert idle.recv(10) == b""
    for line in (idle, reading):
        line.close()


def test_it_comes_back_under_its_name(http: HttpServer) -> None:
    http.stop()
    http.stop()
    http.start()
    assert fetch(http.listener, "/text").body == b"hello\n"


@pytest.mark.parametrize("kind", ["http", "https"])
def test_it_starts_in_no_time(services: Services, kind: str) -> None:
    """Less than 50 ms; the best of some, since the host may be busy."""
    services.https()  # makes what all servers share
    took = []
    for _ in range(5):
        started = time.monotonic()
        server = getattr(services, kind)(CONTENT)
        server.listener.connect().close()
        took.append(time.monotonic() - started)
    assert min(took) < 0.05
