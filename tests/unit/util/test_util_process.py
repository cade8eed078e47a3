"""Children that die with us, and tools that fail loudly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.errors import ConfigError, InfrastructureError
from harness.util.deadline import Deadline
from harness.util.process import require, run_tool, spawn


def test_a_child_has_a_session_of_its_own() -> None:
    child = spawn(["sleep", "60"], name="sleeper")
    status = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    assert int(status[3]) == child.pid, "its session is its own"
    child.stop()
    assert not child.running


def test_it_outlives_the_thread_that_asked_for_it() -> None:
    children = []
    asker = threading.Thread(target=lambda: children.append(spawn(["sleep", "60"], name="sleeper")))
    asker.start()
    asker.join()
    assert children[0].wait(0.3) is None, "PR_SET_PDEATHSIG goes by thread"
    children[0].stop()


def test_the_kernel_kills_it_when_its_parent_is_killed() -> None:
    script = (
        "from harness.util.process import spawn\n"
        "child = spawn(['sleep', '600'], name='sleeper')\n"
        "print(child.pid, flush=True)\n"
        "child.wait(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    watched = Path(f"/proc/{pid}/comm")
    Deadline(5).poll(
        lambda: watched.read_text().strip() == "sleep", step="waiting for it to start", interval=0.02
    )
    parent.kill()
    parent.communicate()
    Deadline(2).poll(lambda: _is_dead(pid), step="waiting for it to be killed", interval=0.02)


def _is_dead(pid: int) -> bool:
    """Return True when the process has ended, or is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("script", "said"),
    [("exit 3", "exited with status 3"), ("kill -SEGV $$", "was killed by SIGSEGV")],
)
def test_how_it_ended_is_put_in_words(script: str, said: str) -> None:
    child = spawn(["sh", "-c", script], name="short")
    child.wait(10)
    assert child.describe_exit() == said


def test_a_stubborn_child_is_killed_after_its_grace() -> None:
    readable, writable = os.pipe()
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    child = spawn(["sh", "-c", script], name="stubborn", stdout=writable)
    os.close(writable)
    assert os.read(readable, 10) == b"ready\n"
    os.close(readable)
    child.stop(grace=0.3)
    assert child.describe_exit() == f"was killed by {signal.SIGKILL.name}"


def test_a_program_that_is_missing_names_its_package() -> None:
    with pytest.raises(ConfigError, match="no such-a-program") as caught:
        require("such-a-program", package="such-a-package")
    assert caught.value.hint == "apt-get install such-a-package"
    with pytest.raises(ConfigError):
        spawn(["such-a-program"], name="missing")


def test_a_tool_that_fails_brings_its_words() -> None:
    with pytest.raises(InfrastructureError) as caught:
        run_tool(["sh", "-c", "echo too bad >&2; exit 4"])
    assert caught.value.cause == "host-tool-failed"
    assert "status 4" in caught.value.message
    assert "too bad" in caught.value.evidence


def test_a_tool_that_hangs_is_ended() -> None:
    with pytest.raises(InfrastructureError) as caught:
        run_tool(["sleep", "60"], timeout=0.1)
    assert caught.value.cause == "host-tool-timeout"


def test_a_tool_gets_its_input_and_gives_its_output() -> None:
    assert run_tool(["tr", "a-z", "A-Z"], input=b"words") == b"WORDS"
