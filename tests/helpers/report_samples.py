"""Results as a run leaves them, for the tests of kola.report."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kola.cases.model import FailureKind, Verdict
from kola.report import Filtered, RunResult, TestResult

PASSED = TestResult(name="basic", verdict=Verdict.PASS, seconds=41.239)
FAILED = TestResult(
    name="ignition.once",
    verdict=Verdict.FAIL,
    seconds=12.3,
    kind=FailureKind.GUEST,
    cause="kernel-panic",
    output="[ 3.1] \x1b[31mKernel panic - not syncing: no root\x1b[0m\r\n[ 3.2] ---[ end\n",
    machines=(Path("ignition.once/0b1c"),),
    boot=("cold",),
    nodeid="testsuites/ignition/test_once.py::test_once",
)
WARNED = TestResult(
    name="podman.workflow", verdict=Verdict.WARN, seconds=1, kind=FailureKind.TEST, reason="denylisted: #12"
)
FLAKY = TestResult(
    name="sometimes",
    verdict=Verdict.FLAKY,
    seconds=2,
    attempts=2,
    kind=FailureKind.INFRASTRUCTURE,
    cause="qemu-exited",
)
SKIPPED = TestResult(name="tpm", verdict=Verdict.SKIP, seconds=0, reason="no swtpm on this host")
NESTED = TestResult(
    name="non-exclusive-test-bucket-12",
    verdict=Verdict.FAIL,
    seconds=60,
    kind=FailureKind.TEST,
    subtests=(
        TestResult(name="ext.config.a", verdict=Verdict.PASS, seconds=1),
        TestResult(
            name="ext.config.b", verdict=Verdict.FAIL, seconds=2, kind=FailureKind.TEST, output="grep: error"
        ),
    ),
)
EVERY = (PASSED, FAILED, WARNED, FLAKY, SKIPPED, NESTED)


def run_of(*tests: TestResult, **changes: Any) -> RunResult:
    values: dict[str, Any] = {
        "tests": tests,
        "platform": "qemu",
        "version": "24.03-LTS.20240903.0",
        "distro": "nestos",
        "arch": "x86_64",
        "started": datetime(2026, 8, 1, 12, 0, tzinfo=UTC),
        "seconds": 252.0,
        "output_dir": Path("/out"),
        "exit_code": 0,
    }
    return RunResult(**(values | changes))


FILTERED = (
    Filtered("fcos.internet", "denylist", "https://tracker/1"),
    Filtered("docker.basic", "distro", "for fcos only"),
    Filtered("docker.more", "distro", "for fcos only"),
)
