"""Sizes as people write them, locks between processes, errors as people read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError, MachineFailure
from harness.util.deadline import Deadline
from harness.util.locks import exclusive
from harness.util.paths import cache_root
from harness.util.sizes import parse_size, show_size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4096", 4096),
        ("1K", 1024),
        ("512M", 512 << 20),
        ("10G", 10 << 30),
        ("10GiB", 10 << 30),
        ("2t", 2 << 40),
    ],
)
def test_sizes_are_powers_of_1024(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "G", "-1G", "1.5G", "10 gigabytes", "+5G", "1X"])
def test_what_is_no_size_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ConfigError, match="not a size") as caught:
        parse_size(text)
    assert caught.value.hint


def test_sizes_are_shown_in_the_largest_unit_that_fits() -> None:
    assert [show_size(count) for count in (7, 1536, 10 << 20, 5 << 40)] == [
        "7 B",
        "1.5 KiB",
        "10.0 MiB",
        "5.0 TiB",
    ]


def test_a_lock_keeps_others_out_until_it_is_left(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/lock"
    waited: list[str] = []
    with exclusive(path, deadline=Deadline(1)):
        with (
            pytest.raises(DeadlineExceeded, match="waiting for the lock"),
            exclusive(path, deadline=Deadline(0.15), on_wait=lambda: waited.append("told")),
        ):
            pytest.fail("two hold it")
        assert waited == ["told"]
    with exclusive(path, deadline=Deadline(0)):
        pass


def test_a_holder_that_is_killed_frees_its_lock(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\n"
        "from harness.util.deadline import Deadline\nfrom harness.util.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1]), deadline=Deadline(5)):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    with exclusive(path, deadline=Deadline(1)):
        pass


def test_the_cache_follows_the_desktop_rules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "kola"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_root() == Path.home() / ".cache/kola"


def test_errors_read_as_one_message() -> None:
    assert str(ConfigError("is odd", file="a.yaml", line=3, hint="mend it")) == (
        "a.yaml:3: is odd\n  hint: mend it"
    )
    assert str(ConfigError("is odd", file="a.yaml")) == "a.yaml: is odd"
    assert (
        str(InfrastructureError("QEMU ended", cause="x", evidence="last line\n")) == "QEMU ended\nlast line"
    )
    assert str(MachineFailure("kernel-panic", "it died")) == "kernel-panic: it died"
    assert str(DeadlineExceeded("waiting", seconds=61.2, last_seen="login:")) == (
        "timed out after 61 s while waiting; last seen: login:"
    )
