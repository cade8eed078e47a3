"""Results for Allure (allurereport.org), written with its own library."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import Attachment, Label, StatusDetails
from allure_commons.model2 import TestResult as AllureResult
from allure_commons.types import LabelType

import kola
from harness.errors import InfrastructureError
from kola.cases.model import FailureKind, Verdict
from kola.report.attachments import attachments_of
from kola.report.console import headline
from kola.report.files import write_text
from kola.report.junit import leaves, of_test
from kola.report.result import Filtered, RunResult, TestResult
from kola.report.telling import plain

_BROKEN = (FailureKind.INFRASTRUCTURE, FailureKind.CONFIG)
_STATUS = {
    Verdict.PASS: "passed",
    Verdict.WARN: "passed",
    Verdict.FLAKY: "passed",
    Verdict.SKIP: "skipped",
}


def write_allure(run: RunResult, directory: Path) -> None:
    """Write a result for each test, filtered ones as skipped, and `environment.properties`.

    A failure that is not the test's is `broken`. A warning has passed with the tag WARN and its reason.
    Raises InfrastructureError when the directory cannot be written.
    """
    try:
        logger: Any = AllureFileLogger(str(directory))  # type: ignore[no-untyped-call]  # the library is untyped
        for test in run.tests:
            for one in leaves(test):
                logger.report_result(_result(run, one, logger))
        for left in run.filtered:
            logger.report_result(_left_out(run, left))
    except OSError as error:
        raise InfrastructureError(
            f"cannot write the Allure results to {directory}: {error.strerror}", cause="report-unwritable"
        ) from error
    facts = {
        "build": run.version,
        "platform": run.platform,
        "distro": run.distro,
        "arch": run.arch,
        "kola": kola.__version__,
        "interrupted": run.interrupted,
    }
    lines = [f"{name}={' '.join(value.split())}\n" for name, value in facts.items() if value]
    write_text(directory / "environment.properties", "".join(lines))


def _result(run: RunResult, test: TestResult, logger: Any) -> AllureResult:
    result = _named(run, test.name)
    result.status = "broken" if test.failed and test.kind in _BROKEN else _STATUS.get(test.verdict, "failed")
    message = test.reason or headline(test)
    if message or test.verdict is Verdict.FLAKY:
        prefix = f"{test.verdict}: " if test.verdict in (Verdict.WARN, Verdict.FLAKY) else ""
        result.statusDetails = StatusDetails(
            message=plain(f"{prefix}{message}"),
            trace=plain(test.output) if test.failed else None,
            flaky=test.verdict is Verdict.FLAKY,
        )
    result.labels += [Label(name, value) for name, value in of_test(run, test)]
    if test.verdict in (Verdict.WARN, Verdict.FLAKY):
        result.labels.append(Label(LabelType.TAG, test.verdict.value))
    result.start = round((test.started or run.started.timestamp()) * 1000)
    result.stop = result.start + round(test.seconds * 1000)
    for one in attachments_of(run.output_dir, test):
        name = f"{uuid.uuid4()}-attachment{one.path.suffix}"
        logger.report_attached_file(str(one.path), name)
        result.attachments.append(Attachment(name=one.title, source=name, type=one.media_type))
    if test.output and not test.failed:
        name = f"{uuid.uuid4()}-attachment.txt"
        logger.report_attached_data(plain(test.output).encode("utf-8", "backslashreplace"), name)
        result.attachments.append(Attachment(name="Output", source=name, type="text/plain"))
    return result


def _left_out(run: RunResult, one: Filtered) -> AllureResult:
    result = _named(run, one.name)
    result.status = "skipped"
    result.statusDetails = StatusDetails(message=f"filtered by {one.stage}: {one.reason}")
    result.labels.append(Label("stage", one.stage))
    result.start = result.stop = round(run.started.timestamp() * 1000)
    return result


def _named(run: RunResult, name: str) -> AllureResult:
    """Return a result whose history is that of the test of this name."""
    key = hashlib.md5(name.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
    return AllureResult(
        uuid=str(uuid.uuid4()),
        name=plain(name),
        fullName=plain(name),
        historyId=key,
        testCaseId=key,
        labels=[
            Label(LabelType.FRAMEWORK, "kola"),
            Label(LabelType.PARENT_SUITE, f"{run.distro} {run.arch}".strip()),
            Label(LabelType.SUITE, name.partition(".")[0]),
        ],
    )
