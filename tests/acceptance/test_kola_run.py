"""`kola run` on the stand-in: each kind of outcome in one run, and every report of it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from fakes.checkout import Checkout, Ran
from fakes.steering import FakeQemu

SUITE = r'''
@pytest.mark.kola(description="A user of that name is there")
def test_good(machine):
    """What pytest would show."""
    assert machine.run("whoami").stdout == "nest\n"

@pytest.mark.kola()
def test_wrong(machine):
    print("what the test printed")
    assert machine.run("cat /etc/hostname").stdout == "another\n"

@pytest.mark.kola()
def test_left_out(machine):
    pytest.skip("not today")

@pytest.mark.kola()
def test_unwell(machine):
    machine.run("oops").check()
    machine.journal.wait_for("Oops", timeout=10)

@pytest.mark.kola()
@pytest.mark.machine(opt_out=["kernel-oops"])
def test_unwell_and_knows_it(machine):
    machine.run("oops").check()
    machine.journal.wait_for("Oops", timeout=10)

@pytest.mark.kola()
def test_slow_guest(machine):
    machine.run("lockup").check()
    machine.journal.wait_for("soft lockup", timeout=10)

@pytest.mark.kola()
def test_panics(machine):
    machine.run("panic")

@pytest.mark.kola()
def test_loses_qemu(machine):
    machine.run("die")

@pytest.mark.kola(timeout="2s")
@pytest.mark.machine(boot="cold")
def test_hangs(machine):
    time.sleep(60)
'''
PLAN: dict[str, Any] = {
    "commands": [
        {"match": "^oops$", "journal": ["BUG: Oops: 0002 [#1] SMP"]},
        {"match": "^lockup$", "journal": ["watchdog: BUG: soft lockup - CPU#0 stuck for 22s!"]},
        {"match": "^panic$", "hang": True, "then": "panic"},
        {"match": "^die$", "hang": True, "then": "exit"},
    ]
}
EXPECTED = {
    "mine.good": ("PASS", None, ""),
    "mine.wrong": ("FAIL", "test", "assertion"),
    "mine.left-out": ("SKIP", None, ""),
    "mine.unwell": ("FAIL", "guest", "kernel-oops"),
    "mine.unwell-and-knows-it": ("PASS", None, ""),
    "mine.slow-guest": ("WARN", None, ""),
    "mine.panics": ("FAIL", "guest", "kernel-panic"),
    "mine.loses-qemu": ("FAIL", "infrastructure", "qemu-exited"),
    "mine.hangs": ("FAIL", "timeout", "test-timeout"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The outcome of one run of all tests, two at a time."""
    root = tmp_path_factory.mktemp("run")
    fake = FakeQemu(root / "host")
    fake.plan(**PLAN)
    checkout = Checkout(fake, root / "checkout")
    checkout.suite(SUITE)
    done = checkout.run("--parallel", "2")
    assert fake.left_behind(patience=2) == []
    assert "INTERNALERROR" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_outcome_has_its_verdict_and_cause(ran: Ran, name: str) -> None:
    found = {test["name"]: test for test in ran.report["tests"]}[name]
    assert (found["result"], found["kind"], found["cause"]) == EXPECTED[name]


def test_a_failed_run_exits_with_one_and_says_so_last(ran: Ran) -> None:
    assert ran.status == 1
    assert ran.stdout.rstrip().splitlines()[-1] == f"FAIL, output in {ran.output}"
    assert "Traceback" not in ran.stderr


def test_each_test_has_its_two_lines(ran: Ran) -> None:
    for name, (verdict, _, _) in EXPECTED.items():
        assert f"=== RUN   {name}\n" in ran.stdout
        assert re.search(rf"^--- {verdict}: {re.escape(name)} \(\d+\.\d\ds\)$", ran.stdout, re.MULTILINE)


def test_what_the_test_said_and_printed_is_kept(ran: Ran) -> None:
    output = {test["name"]: test["output"] for test in ran.report["tests"]}["mine.wrong"]
    assert "what the test printed" in output
    assert "another" in output
    assert "harness/machine" not in output, "the frames shown are the author's own"


def test_a_timeout_names_the_step_and_ends_in_time(ran: Ran) -> None:
    hung = {test["name"]: test for test in ran.report["tests"]}["mine.hangs"]
    assert re.search(r"timed out after \d+ s while running the test", hung["reason"])
    assert hung["duration"] < 40e9, "of the 60 s it would have slept"


def test_a_warning_says_what_of(ran: Ran) -> None:
    warned = {test["name"]: test for test in ran.report["tests"]}["mine.slow-guest"]
    assert "kernel-soft-lockup" in warned["reason"]


def test_tap_counts_every_test_and_takes_warnings_for_ok(ran: Ran) -> None:
    lines = (ran.output / "test.tap").read_text().splitlines()
    assert f"1..{len(EXPECTED)}" in lines
    oks = {line.split(" - ")[1].split(" #")[0] for line in lines if line.startswith("ok")}
    assert oks == {name for name, (verdict, _, _) in EXPECTED.items() if verdict != "FAIL"}


def test_junit_counts_the_same(ran: Ran) -> None:
    suite = next(ET.parse(ran.output / "reports/junit.xml").iter("testsuite"))
    failed = [name for name, (verdict, _, _) in EXPECTED.items() if verdict == "FAIL"]
    assert int(suite.get("tests", "0")) == len(EXPECTED)
    assert int(suite.get("failures", "0")) + int(suite.get("errors", "0")) == len(failed)
    assert suite.get("skipped") == "1"


def test_properties_say_how_it_was_called(ran: Ran) -> None:
    properties = json.loads((ran.output / "properties.json").read_text())
    assert "--parallel" in properties["cmdline"]


def test_machines_leave_their_files_under_their_test(ran: Ran) -> None:
    test = {test["name"]: test for test in ran.report["tests"]}["mine.good"]
    (home,) = test["machines"]
    assert home.startswith("mine.good/")
    assert {"console.txt", "journal.txt", "qemu-command.txt"} <= {
        path.name for path in (ran.output / home).iterdir()
    }


def test_a_run_that_passes_exits_with_zero(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    ran = checkout.run("mine.good")
    assert (ran.status, ran.results) == (0, {"mine.good": "PASS"})
    assert ran.stdout.rstrip().endswith(f"PASS, output in {ran.output}")


def test_warnings_alone_exit_with_77_when_asked_to(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    checkout.fake.plan(**PLAN)
    ran = checkout.run("mine.slow-guest", "--on-warn-failure-exit-77")
    assert (ran.status, ran.results) == (77, {"mine.slow-guest": "WARN"})


def test_a_machine_that_was_not_to_be_had_is_tried_again(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    checkout.fake.sequence({"exit_at_start": {"stderr": "no memory"}}, {})
    ran = checkout.run("mine.good", "--boot", "cold")
    assert ran.status == 0
    assert len(checkout.fake.launches) == 2


def test_no_machine_at_all_is_infrastructure_with_qemus_own_words(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    checkout.fake.plan(exit_at_start={"stderr": "qemu-system-x86_64: out of memory"})
    ran = checkout.run("mine.good")
    (test,) = ran.report["tests"]
    assert (ran.status, test["kind"], test["cause"]) == (1, "infrastructure", "qemu-exited")
    assert "out of memory" in ran.stdout


def test_a_test_that_ends_its_process_fails_alone_and_is_tried_twice(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        def test_crashes(machine):
            os._exit(3)

        @pytest.mark.kola()
        def test_good(machine):
            pass
    """)
    ran = checkout.run()
    assert ran.results == {"mine.crashes": "FAIL", "mine.good": "PASS"}
    assert ran.stdout.count("=== RUN   mine.crashes") == 2


CONFIGURED = """
WRITTEN = {
    "ignition": {"version": "3.3.0"},
    "storage": {"files": [{"path": "/etc/mine", "contents": {"source": "data:,mine"}}]},
}

@pytest.mark.kola()
@pytest.mark.machine(ignition=WRITTEN, boot="clone")
def test_one(machine):
    assert machine.run("cat /etc/mine").stdout == "mine"

@pytest.mark.kola()
@pytest.mark.machine(ignition=WRITTEN, boot="clone")
def test_two(machine):
    assert machine.run("cat /etc/mine").stdout == "mine"

@pytest.mark.kola()
@pytest.mark.machine(ignition=None)
def test_nothing_given(machine):
    assert "login:" in machine.console.text()
    assert not (machine.directory / "ignition.json").exists()

@pytest.mark.kola()
@pytest.mark.machine(ignition=b'{"ignition": {"version": "3.3.0"}}')
def test_given_as_it_is(machine):
    assert "login:" in machine.console.text()
    assert (machine.directory / "ignition.json").read_bytes() == b'{"ignition": {"version": "3.3.0"}}'

@pytest.mark.kola()
def test_handed_over_at_once(new_machine):
    machine = new_machine(ignition=WRITTEN, wait=False)
    machine.wait_reachable()
    assert machine.run("cat /etc/mine").stdout == "mine"

@pytest.mark.kola()
@pytest.mark.machine(boot="clone")
def test_nothing_of_its_own(machine):
    assert machine.run("cat /etc/mine").stdout == ""
"""


def test_how_machines_with_configs_of_their_own_come_to_be(checkout: Checkout) -> None:
    checkout.suite(CONFIGURED)
    ran = checkout.run()
    assert set(ran.results.values()) == {"PASS"}, ran.stdout
    boots = {test["name"]: test["boot"] for test in ran.report["tests"]}
    assert boots == {
        "mine.one": ["clone"],
        "mine.two": ["clone"],
        "mine.nothing-given": ["cold"],
        # The stand-in for QEMU shows nothing of Ignition.
        "mine.given-as-it-is": ["cold"],
        "mine.handed-over-at-once": ["cold"],
        "mine.nothing-of-its-own": ["clone"],
    }
