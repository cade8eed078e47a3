"""Processes and mounts of a build end with it, even without a chance to clean up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.reference.build.command import run
from harness.util.deadline import Deadline

BUILD = "import sys; from harness.reference.build.command import run; run(['sh', '-c', sys.argv[1]])"


def _alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}/root")  # noqa: PTH110 - a link, and none of a zombie's


def _sleeping(duration: str) -> list[int]:
    """The processes that run `sleep` for this long."""
    done = subprocess.run(["pgrep", "-fx", f"sleep {duration}"], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split()]


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
    limit = Deadline(20)
    try:
        (sleeping,) = limit.poll(lambda: _sleeping(duration) or None, step="waiting for sleep", interval=0.05)
        assert Path(f"/proc/{sleeping}/root{mounted}/file").read_text() == "there\n"
        assert not list(mounted.iterdir())
    finally:
        building.kill()
        building.wait()
    limit.poll(lambda: not _alive(sleeping), step="waiting for what the build started to end", interval=0.05)
