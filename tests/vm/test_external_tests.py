"""Our own external tests on the reference OS: what the guest has to do with, and each way to fail there."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from kolarun import Outcome, kola_run

pytestmark = pytest.mark.vm

TREES = Path(__file__).parents[1] / "external"

LEFT_OUT = (
    "ext.external.config.*",  # `machine` boots with a config, and cold boots are dear
    "ext.failing.hangs",  # a minute, made longer without KVM: tests/acceptance has it
    "ext.failing.unasked-reboot",  # likewise
    # How tests are found and described, which the guest has no part in: tests/unit/external has it.
    "ext.external.ba*",
    "ext.external.block-at-end",
    "ext.external.inline-*",
    "ext.external.link*",
    "ext.external.n*",
    "ext.external.outcome.timeout",
    "ext.external.select.[^c]*",
)
SKIPPED = {
    "ext.external.outcome.skip-on-77": "this guest has no such thing",
    "ext.external.reboot.soft": "this systemd has no soft-reboot, and kolet says so",
    "ext.external.iso.boots-from-iso": "boots the live ISO, and this build has none",
}
FAILED = {
    "ext.failing.config-warning": ("config", "config"),
    "ext.failing.exit-status": ("test", "nonzero-exit"),
    "ext.failing.leaves-failed-unit": ("guest", "failed-unit"),
    "ext.failing.marks-nothing": ("test", "nonzero-exit"),
    "ext.failing.no-interpreter": ("test", "not-executable"),
    "ext.failing.panics": ("guest", "kernel-panic"),
    "ext.failing.promises-a-reboot": ("test", "unexpected-reboot"),
    "ext.failing.signal": ("test", "killed-by-signal"),
    "ext.failing.skip-77-unasked": ("test", "nonzero-exit"),
}


@pytest.fixture(scope="module")
def outcome(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The outcome of one run of both trees; tests that may share a machine run in buckets."""
    directory = tmp_path_factory.mktemp("external")
    left_out = [word for pattern in LEFT_OUT for word in ("--denylist-test", pattern)]
    return kola_run(
        with_archive(reference, directory / "work"), directory / "out",
        "--parallel", "2", "--isolation", "bucket", "--no-net", *left_out,
        "-E", str(TREES), "-E", str(TREES / "failing"), "ext.*",
    )  # fmt: skip


@pytest.fixture(scope="module")
def tests(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """The results by test name, members of buckets included."""
    return {name.rpartition("/")[2]: test for name, test in outcome.tests.items()}


def test_every_rule_holds_and_every_failure_is_told_apart(
    outcome: Outcome, tests: dict[str, dict[str, Any]]
) -> None:
    own = {name: test for name, test in tests.items() if name.startswith("ext.")}
    assert {name for name, test in own.items() if test["result"] == "FAIL"} == set(FAILED), outcome.printed
    assert {name: (own[name]["kind"], own[name]["cause"]) for name in FAILED} == FAILED
    assert {name: test["reason"] for name, test in own.items() if test["result"] == "SKIP"} == SKIPPED
    assert sum(test["result"] == "PASS" for test in own.values()) >= 15
    assert outcome.code == 1


def test_a_bucket_outlives_the_members_that_spoil_its_machine(
    outcome: Outcome, tests: dict[str, dict[str, Any]]
) -> None:
    bucket = outcome.tests["non-exclusive-test-bucket-0"]
    assert len(bucket["subtests"]) >= 12
    assert "ext.failing.zz-unharmed" in bucket["subtests"]
    assert tests["ext.failing.zz-unharmed"]["result"] == "PASS"
    assert len(bucket["boot"]) == 3
    assert set(bucket["boot"]) == {"clone"}
    assert "ext.external.select.conflict-two" not in bucket["subtests"]


def test_only_what_differs_from_other_machines_boots_cold(tests: dict[str, dict[str, Any]]) -> None:
    cold = {name for name, test in tests.items() if "cold" in test["boot"]}
    assert cold == {"ext.external.machine"}


def test_output_is_the_tests_own_and_survives_reboots(
    outcome: Outcome, tests: dict[str, dict[str, Any]]
) -> None:
    marks = tests["ext.external.reboot.marks"]["output"].splitlines()
    said = [line for line in marks if line.startswith("said")]
    assert said == ["said before the reboot", "said between the reboots", "said at the end"]
    [saved] = outcome.output.glob("non-exclusive-test-bucket-0/*/kola-runext-much-output.txt")
    lines = saved.read_text().splitlines()
    assert lines[:12000] == [f"line {number} of 12000" for number in range(1, 12001)]
    assert len(lines) == 12001


def test_tests_that_want_one_port_of_the_host_take_turns(outcome: Outcome) -> None:
    first, second = sorted(running(outcome, f"ext.external.ports.{name}") for name in ("one", "two"))
    assert first[1] <= second[0]


def running(outcome: Outcome, name: str) -> tuple[float, float]:
    """The time a test held its machine: from the request to the verdict."""
    events = [json.loads(line) for line in (outcome.output / "events.jsonl").read_text().splitlines()]
    times = {event["kind"]: event["time"] for event in events if event["test"] == name}
    return times["test-start"], times["test-end"]


def with_archive(reference: Path, root: Path) -> Path:
    """The reference build with an OCI archive beside its image."""
    [built] = (reference / "builds/latest").resolve().glob("*/meta.json")
    directory = root / "builds" / built.parents[1].name / built.parent.name
    directory.mkdir(parents=True)
    for entry in built.parent.iterdir():
        (directory / entry.name).symlink_to(entry)
    meta = json.loads(built.read_text())
    meta["images"]["ostree"] = {"path": "kola.ociarchive"}
    (directory / "meta.json").unlink()
    (directory / "meta.json").write_text(json.dumps(meta))
    with tarfile.open(directory / "kola.ociarchive", "w") as archive:
        layout = b'{"imageLayoutVersion": "1.0.0"}'
        entry = tarfile.TarInfo("oci-layout")
        entry.size = len(layout)
        archive.addfile(entry, io.BytesIO(layout))
    index = {"schema-version": "1.0.0", "builds": [{"id": meta["buildid"], "arches": [built.parent.name]}]}
    (root / "builds/builds.json").write_text(json.dumps(index))
    return root
