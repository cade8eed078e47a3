"""Machines of failed tests that stay, and how one gets into them, on the stand-in."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk
from fakes.checkout import Checkout

from harness.util.deadline import Deadline

SUITE = """
@pytest.mark.kola()
def test_breaks(machine):
    machine.run("touch /var/tmp/evidence")
    assert False, "as planned"

@pytest.mark.kola()
def test_holds(machine):
    machine.run("echo fine").check()
"""
NAP = """
@pytest.mark.kola()
def test_sleeps(machine):
    time.sleep(600)
"""


@pytest.fixture
def desk(checkout: Checkout) -> Iterator[Desk]:
    checkout.suite(SUITE)
    desk = Desk(checkout)
    yield desk
    desk.stop_all()
    assert desk.ps() == []


def test_the_machine_outlives_the_run(desk: Desk) -> None:
    ran = desk.checkout.run("--keep-on-failure", "--parallel", "2")
    assert ran.results == {"mine.breaks": "FAIL", "mine.holds": "PASS"}
    assert "enter  kola ssh m1" in ran.stdout
    (machine,) = desk.ps()
    assert (machine["name"], machine["test"]) == ("m1", "mine.breaks")
    assert Path(machine["directory"]).is_relative_to(desk.checkout.output / "mine.breaks")
    assert desk.kola("ssh", "m1", "test -e /var/tmp/evidence").returncode == 0
    assert len(os.listdir(f"/proc/{machine['pid']}/cwd")) > 0  # noqa: PTH208  # it is at the root
    for number in range(3):
        assert os.readlink(f"/proc/{machine['pid']}/fd/{number}") == "/dev/null"  # noqa: PTH115
    assert "kept for" in desk.kola("ps").stdout.lower()
    assert desk.kola("stop", "m1").returncode == 0
    Deadline(10).poll(lambda: not runs(machine["pid"]), step="waiting for the worker to end")
    assert desk.left() == []


def test_without_the_option_nothing_stays(desk: Desk) -> None:
    assert desk.checkout.run().results["mine.breaks"] == "FAIL"
    assert desk.ps() == []
    assert desk.left() == []


def test_kill_9_of_the_run_and_the_list_tells(desk: Desk) -> None:
    desk.checkout.suite(NAP, name="zz")
    running = desk.checkout.start("--keep-on-failure")
    Deadline(60).poll(lambda: len(desk.ps()) == 1, step="waiting for the test to fail")
    running.kill()
    running.communicate(timeout=20)
    Deadline(10).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def test_at_a_terminal_one_is_put_into_the_machine(desk: Desk) -> None:
    with desk.on_terminal(desk.checkout.argv("--ssh-on-test-failure")) as terminal:
        terminal.expect("mine.breaks failed; this is its machine m1", seconds=90)
        terminal.expect("nest@fake:~")
        terminal.type("echo I am in\r")
        terminal.expect("\nI am in")
        assert desk.kola("ssh", "m1", "test -e /var/tmp/evidence").returncode == 0
        assert [machine["test"] for machine in desk.ps()] == ["mine.breaks"]
        terminal.type("exit\r")
        terminal.expect("PASS: mine.holds")
        assert terminal.end(seconds=60) == 1
    assert desk.ps() == []
    assert desk.left() == []


def test_without_a_terminal_that_is_said(desk: Desk) -> None:
    ran = desk.checkout.run("--ssh-on-test-failure")
    assert ran.status == 2
    assert "--ssh-on-test-failure needs a terminal" in ran.stderr
    assert "--keep-on-failure" in ran.stderr
    assert desk.checkout.fake.launches == []


def test_under_pdb_the_machine_can_be_entered(desk: Desk) -> None:
    options = f"--workdir none --qemu-image {desk.checkout.fake.image} --output-dir {desk.checkout.output}"
    argv = [sys.executable, "-m", "pytest", "-p", "kola.plugin", "-n", "0", "--pdb", "testsuites"]
    with desk.on_terminal([*argv, "-k", "breaks", "--kola", options]) as terminal:
        terminal.expect("in another terminal: kola ssh m1", seconds=90)
        terminal.expect(r"\(Pdb\)")
        assert desk.kola("ssh", "m1", "echo from aside").stdout == "from aside\n"
        terminal.type("machine.run('echo from inside').stdout\r")
        terminal.expect("'from inside")
        terminal.type("q\r")
        terminal.end(seconds=60)
    assert desk.ps() == []
    assert desk.left() == []


def test_a_worker_that_keeps_a_machine_obeys_sigterm(desk: Desk) -> None:
    desk.checkout.run("--keep-on-failure")
    (machine,) = desk.ps()
    os.kill(machine["pid"], signal.SIGTERM)
    Deadline(10).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def runs(pid: int) -> bool:
    """Return True while the process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
