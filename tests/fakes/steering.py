"""Steers the stand-ins from a test, and finds what they or the harness left behind."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from harness.errors import DeadlineExceeded
from harness.util.deadline import Deadline

HERE = Path(__file__).parent
IMAGE_BYTES = 10 << 20


class FakeQemu:
    """The stand-ins in front of PATH, and a world below `root` in which every leftover shows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scratch = root / "scratch"
        self.temporary = root / "tmp"
        self.cache = root / "cache"
        self.state = root / "state"
        for directory in (self.scratch, self.temporary, self.cache, self.state):
            directory.mkdir(parents=True)
        self.image = write_image(root / "disk.qcow2")
        self._plan = root / "plan.json"
        self.plan()

    def plan(self, **keys: Any) -> None:
        """Set the plan of every QEMU started from now on; keys as in fakeqemu.plan.Plan."""
        self._plan.write_text(json.dumps(keys))

    def sequence(self, *plans: dict[str, Any]) -> None:
        """The first plan is for the first QEMU that starts, and so on; the last one for all others."""
        self._plan.write_text(json.dumps({"sequence": plans}))

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{HERE}{os.pathsep}{os.environ['PATH']}",
            "KOLA_FAKE_PYTHON": sys.executable,
            "KOLA_FAKE_PLAN": str(self._plan),
            "KOLA_SCRATCH": str(self.scratch),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_STATE_HOME": str(self.state),
            "TMPDIR": str(self.temporary),
        }

    @property
    def launches(self) -> list[int]:
        """Process ids of all that started, the dead included."""
        notes = Path(f"{self._plan}.launches")
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    def left_behind(self, *, patience: float = 0.0) -> list[str]:
        """Processes that still run and files in places where none may stay, once `patience` s are over."""
        limit = Deadline(patience)
        try:
            limit.poll(lambda: not self._left(), step="waiting for everything to be gone", interval=0.02)
        except DeadlineExceeded:
            return self._left()
        return []

    def _left(self) -> list[str]:
        running = [f"process {pid}" for pid in self.launches if _runs(pid)]
        files = [str(path) for place in (self.scratch, self.temporary) for path in place.rglob("*")]
        # The register's lock stays: to remove a lock that others wait for would let two of them in.
        files += [str(path) for path in self.state.rglob("*") if path.is_file() and path.name != "turn.lock"]
        return running + files


def write_image(path: Path, *, size: int = IMAGE_BYTES) -> Path:
    """A qcow2 file with nothing in it but the header."""
    header = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(16) + size.to_bytes(8, "big")
    path.write_bytes(header.ljust(512, b"\0"))
    return path


def _runs(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"fakeqemu" in command or b"qemu-system" in command
