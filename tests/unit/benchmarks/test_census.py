"""The census that endurance is judged by sees each kind of thing that can stay behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.util.deadline import Deadline

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from census import MARK, Census, left_after, listening, marked, new_mark


def orphan(owned: ExitStack, place: Path, mark: str) -> None:
    """A process in a session of its own whose parent has ended."""
    script = f"setsid sleep 60 & echo $! > {place}.pid"
    subprocess.run(["sh", "-c", script], env=os.environ | {MARK: mark}, check=True)
    owned.callback(os.kill, int(Path(f"{place}.pid").read_text()), signal.SIGKILL)


def zombie(owned: ExitStack, place: Path, mark: str) -> None:
    owned.callback(subprocess.Popen(["true"]).wait)


def thread(owned: ExitStack, place: Path, mark: str) -> None:
    stop = threading.Event()
    threading.Thread(target=stop.wait).start()
    owned.callback(stop.set)


def descriptor(owned: ExitStack, place: Path, mark: str) -> None:
    owned.enter_context(socket.socket())


def file(owned: ExitStack, place: Path, mark: str) -> None:
    (place / "left").touch()
    owned.callback((place / "left").unlink)


@pytest.mark.parametrize("leave", [orphan, zombie, thread, descriptor, file])
def test_what_is_left_is_named(tmp_path: Path, leave: Callable[[ExitStack, Path, str], None]) -> None:
    place, mark = tmp_path / "place", new_mark()
    place.mkdir()
    before = Census.take(mark, [place])
    with ExitStack() as owned:
        leave(owned, place, mark)
        if leave is orphan:
            Deadline(10).poll(lambda: marked(mark), step="waiting for the orphan", interval=0.05)
        left = left_after(before, mark, [place], patience=0.3)
        kind = {"orphan": "process"}.get(leave.__name__, leave.__name__)
        assert [line for line in left if line.startswith(kind)], left
    assert left_after(before, mark, [place], patience=5) == []


def test_a_mark_is_found_wherever_its_bearer_went(tmp_path: Path) -> None:
    mark = new_mark()
    with ExitStack() as owned:
        orphan(owned, tmp_path / "place", mark)
        # A process that is just becoming another program has no environment for an instant.
        Deadline(10).poll(
            lambda: [command for command in marked(mark).values() if "sleep" in command],
            step="waiting for the orphan to be seen",
            interval=0.05,
        )
    assert marked(new_mark()) == {}


def test_a_listening_port_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listening(port)
    assert not listening(port)
