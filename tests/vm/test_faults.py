"""Faults of a real guest, brought about by external tests: each is named, and soon after the event.

`make test` runs those that take seconds, `make faults` (KOLA_FAULTS=all) all of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kolarun import Outcome, kola_run

from harness.platform.parts.accel import SCALE_VARIABLE

pytestmark = pytest.mark.vm

TREE = Path(__file__).parents[1] / "external/faults"
SCALE = 2.0
BUSY_HOST = 4.0
"""Factor by which a host may be slower than ours before a bound is exceeded."""


@dataclass(frozen=True)
class Fault:
    """`event` is what the journal says as the fault begins, `seconds` how soon after it the verdict comes."""

    kind: str
    cause: str
    said: str
    seconds: float
    event: str = "kola-runext-.*the fault begins"


FAULTS = {
    "emergency": Fault("guest", "emergency-shell", "Emergency Mode", 10),
    "rescue": Fault("guest", "emergency-shell", "Rescue Mode", 10),
    "onfailure": Fault("guest", "emergency-shell", "Emergency Mode", 10),
    "oom": Fault("guest", "oom-killer", "Killed process", 10, event="invoked oom-killer"),
    "sshd-killed": Fault("guest", "ssh-lost", "the SSH connection was lost", 30 * SCALE + 15),
    "sshd-stopped": Fault("guest", "sshd-not-running", "in a guest that is up", 30 * SCALE + 15),
    "fork-bomb": Fault("guest", "guest-unresponsive", "does not answer any more", 120 * SCALE),
    "real-time": Fault("guest", "guest-unresponsive", "does not answer any more", 120 * SCALE),
    "power-off": Fault("test", "powered-off", "the test powered the machine off", 10),
    "kernel-bug": Fault("guest", "kernel-bug", "kernel BUG at fs/foo.c:77!", 15, event="kernel BUG at"),
}
WARNINGS = {
    "disk-full": "disk-full: the disk under /var is full",
    "read-only": "read-only-filesystem: ",
}
LATE_REBOOT = "late-reboot"
SLOW = frozenset({"sshd-killed", "fork-bomb", "real-time", "disk-full", LATE_REBOOT})
"""Faults that show only once a grace of the product has passed, or that write a disk full."""
TRIED = frozenset({*FAULTS, *WARNINGS, LATE_REBOOT}) - (
    frozenset() if os.environ.get("KOLA_FAULTS") == "all" else SLOW
)


def tried(names: Iterable[str]) -> list[str]:
    """The names among those tried in this session, in their order."""
    return [name for name in names if name in TRIED]


@pytest.fixture(scope="module")
def outcome(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """The outcome of one run of all of them, each on a clone of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SCALE_VARIABLE, str(SCALE))
        out = tmp_path_factory.mktemp("faults") / "out"
        names = [f"ext.faults.{name}" for name in sorted(TRIED)]
        yield kola_run(reference, out, "--parallel", "1", "-E", str(TREE), *names)


@pytest.mark.parametrize("name", tried(FAULTS))
def test_the_culprit_is_named_soon(outcome: Outcome, name: str) -> None:
    fault, test = FAULTS[name], outcome.tests[f"ext.faults.{name}"]
    assert (test["kind"], test["cause"], test["attempts"]) == (fault.kind, fault.cause, 1), outcome.printed
    assert fault.said.lower() in test["reason"].lower(), "console and journal differ in their letters"
    late = verdict_after(outcome, name, fault.event)
    print(f"{name}: {late:.1f} s after the event")
    assert late < fault.seconds * BUSY_HOST


@pytest.mark.parametrize("name", tried(WARNINGS))
def test_what_a_passing_test_leaves_broken_is_a_warning(outcome: Outcome, name: str) -> None:
    test = outcome.tests[f"ext.faults.{name}"]
    assert test["result"] == "WARN", outcome.printed
    assert WARNINGS[name] in test["reason"]


@pytest.mark.skipif(LATE_REBOOT not in TRIED, reason="takes minutes: make faults")
def test_a_reboot_that_comes_after_the_tests_end_is_waited_for(outcome: Outcome) -> None:
    test = outcome.tests[f"ext.faults.{LATE_REBOOT}"]
    assert test["result"] == "PASS", outcome.printed
    assert test["output"].splitlines()[-1] == "back again"


def test_no_fault_costs_another_test_its_machine(outcome: Outcome) -> None:
    assert {test["boot"] == ["clone"] for test in outcome.tests.values()} == {True}
    assert len(outcome.tests) == len(TRIED)


def verdict_after(outcome: Outcome, name: str, event: str) -> float:
    """Seconds from the event in the machine's journal, whose clock is the host's, to the test's end."""
    [journal] = (outcome.output / f"ext.faults.{name}").glob("*/journal.txt")
    line = next(line for line in journal.read_text(errors="replace").splitlines() if re.search(event, line))
    ended = outcome.end_of(f"ext.faults.{name}")
    stamp = f"{datetime.fromtimestamp(ended, UTC).year} {line[:22]}"
    began = datetime.strptime(stamp, "%Y %b %d %H:%M:%S.%f").replace(tzinfo=UTC)
    return ended - began.timestamp()
