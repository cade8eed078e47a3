"""A machine leaves nothing behind when its process ends, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.lab import Lab, within
from fakes.steering import FakeQemu

from harness.errors import DeadlineExceeded

HOLDER = """
import sys
from pathlib import Path
from fakes.lab import Lab
from fakes.steering import FakeQemu

fake = FakeQemu.__new__(FakeQemu)
fake.image = Path(sys.argv[1])
machine = Lab(fake, Path(sys.argv[2])).boot()
print("ready", flush=True)
sys.stdin.read()
"""


def hold(fake: FakeQemu, directory: Path) -> subprocess.Popen[str]:
    """A process that holds a booted machine."""
    here = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
    argv = [sys.executable, "-c", HOLDER, str(fake.image), str(directory)]
    holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    assert fake.left_behind() != [], "its QEMU runs"
    return holder


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_killed_takes_its_qemu_along(
    fake_qemu: FakeQemu, tmp_path: Path, number: signal.Signals
) -> None:
    holder = hold(fake_qemu, tmp_path)
    holder.send_signal(number)
    with within(6):
        holder.communicate(timeout=3)
    assert fake_qemu.left_behind(patience=1) == []


def test_an_overlay_has_no_name_while_it_is_used(lab: Lab) -> None:
    lab.boot(disks=())
    assert list(lab.fake.scratch.rglob("*")) == []
    assert list(lab.fake.temporary.rglob("*")) == []


def test_a_closed_machine_is_gone_at_once_and_may_be_closed_again(lab: Lab) -> None:
    machine = lab.boot()
    with within(3):
        machine.close()
    assert lab.fake.left_behind() == []
    machine.close()


def test_a_start_that_fails_leaves_nothing(lab: Lab) -> None:
    lab.fake.plan(qmp="deaf")
    with pytest.raises(DeadlineExceeded):
        lab.power_on(seconds=0.5)
    assert lab.fake.left_behind(patience=1) == []
