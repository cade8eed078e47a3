"""A runner that is interrupted or killed leaves nothing running and nothing lying about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest
from fakes.checkout import Checkout

from harness.util.deadline import Deadline

SUITE = """
@pytest.mark.kola()
@pytest.mark.machine(boot="cold")
def test_waits(machine):
    machine.run("wait here")

@pytest.mark.kola()
@pytest.mark.machine(boot="cold")
def test_waits_too(machine):
    time.sleep(600)
"""


def started(checkout: Checkout) -> subprocess.Popen[str]:
    """`kola run` with two machines up and two tests waiting."""
    checkout.suite(SUITE)
    checkout.fake.plan(commands=[{"match": "^wait here", "hang": True}])
    running = checkout.start("--parallel", "2")
    events = checkout.output / "events.jsonl"
    Deadline(40).poll(
        lambda: events.exists() and events.read_text().count('"machine-ready"') == 2,
        step="waiting for both machines",
        interval=0.1,
        last_seen=lambda: events.read_text() if events.exists() else "no events",
    )
    return running


def descendants(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for parent in found:
        done = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
        found += [int(line) for line in done.stdout.split()]
    return found


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}/root")]  # noqa: PTH110


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_runner(checkout: Checkout, number: signal.Signals) -> None:
    running = started(checkout)
    family = descendants(running.pid)
    assert len(family) >= 5, "a runner, two workers, two QEMUs"
    running.send_signal(number)
    running.communicate(timeout=20)
    assert checkout.fake.left_behind(patience=2) == []
    Deadline(3).poll(
        lambda: not alive(family), step="waiting for the workers to end", last_seen=lambda: str(alive(family))
    )


@pytest.mark.parametrize(
    ("number", "told"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")]
)
def test_an_interruption_is_said_and_what_was_done_is_kept(
    checkout: Checkout, number: signal.Signals, told: str
) -> None:
    running = started(checkout)
    os.killpg(running.pid, number)
    stdout, stderr = running.communicate(timeout=20)
    assert running.returncode == 1
    assert f"interrupted by {told}" in stdout + stderr
    assert "Traceback" not in stderr
    report = json.loads((checkout.output / "reports/report.json").read_text())
    assert (report["result"], report["exit_code"]) == ("FAIL", 1)
    assert f"interrupted by {told}" in report["interrupted"]
    assert "2 chosen tests never ran: mine.waits, mine.waits-too" in report["interrupted"]


def test_a_second_ctrl_c_does_not_cost_the_report(checkout: Checkout) -> None:
    running = started(checkout)
    os.killpg(running.pid, signal.SIGINT)
    written = checkout.output / "reports/report.json"
    Deadline(40).poll(written.exists, step="waiting for the first report", interval=0.01)
    os.killpg(running.pid, signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode in (1, 130)
    assert "Traceback" not in stdout + stderr
    assert json.loads(written.read_text())["result"] == "FAIL"
    assert "2 chosen tests never ran" in stdout + stderr


def test_a_finger_that_stays_on_ctrl_c_changes_nothing(checkout: Checkout) -> None:
    running = started(checkout)
    while running.poll() is None:
        os.killpg(running.pid, signal.SIGINT)
        time.sleep(0.02)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Traceback" not in stdout + stderr
    assert "2 chosen tests never ran" in stdout + stderr
    assert json.loads((checkout.output / "reports/report.json").read_text())["result"] == "FAIL"
    assert checkout.fake.left_behind(patience=2) == []
