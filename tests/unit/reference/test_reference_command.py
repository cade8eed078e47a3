"""What a build starts and mounts goes with it, also when nobody had the time to clean up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.reference.command import run

BUILD = "import sys; from harness.reference.command import run; run(['sh', '-c', sys.argv[1]])"


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _with_argument(argument: str) -> list[int]:
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_text().split("\0")
        except OSError:
            continue
        if argument in words and words[0] == "sleep":
            found.append(int(cmdline.parent.name))
    return found


def test_output_and_failure() -> None:
    assert run(["sh", "-c", "cat; echo $GREETING"], stdin="read ", env={"GREETING": "set"}) == "read set\n"
    with pytest.raises(InfrastructureError, match="sh failed with status 3") as raised:
        run(["sh", "-c", "echo what was wrong >&2; exit 3"])
    assert "what was wrong" in raised.value.evidence


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has namespaces to itself")
def test_a_build_that_is_killed_takes_its_programs_and_mounts_with_it(tmp_path: Path) -> None:
    duration = f"3600.{os.getpid()}"
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    script = f"mount -t tmpfs none {mounted} && echo there > {mounted}/file && sleep {duration} & wait"
    building = subprocess.Popen([sys.executable, "-c", BUILD, script])
    try:
        limit = time.monotonic() + 20
        while not (sleeping := _with_argument(duration)):
            assert time.monotonic() < limit
            time.sleep(0.02)
        assert Path(f"/proc/{sleeping[0]}/root{mounted}/file").read_text() == "there\n"
        assert not list(mounted.iterdir())
    finally:
        building.send_signal(signal.SIGKILL)
        building.wait()
    while any(map(_alive, sleeping)):
        assert time.monotonic() < limit, "what the build started outlives it"
        time.sleep(0.02)
