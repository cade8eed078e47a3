"""A test's files in JUnit and Allure: console, journal, Ignition config."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kola.plugin.context import TestContext
from kola.report.attachments import TEXT, Attachment, attachments


def to_junit(report: pytest.TestReport, context: TestContext) -> None:
    """Name the files in `system-out`, in the form CI servers know: `[[ATTACHMENT|path]]`."""
    lines = [f"[[ATTACHMENT|{attachment.path}]]" for attachment in _files(context)]
    if lines:
        report.sections.append(("Captured stdout kola", "\n".join(lines)))


def to_allure(config: pytest.Config, context: TestContext) -> None:
    """Copy the files into the Allure results, when those are being written."""
    if not config.getoption("allure_report_dir", None):
        return
    import allure

    for attachment in _files(context):
        name = f"{attachment.title} ({attachment.path.parent.name[:8]})"
        extension = attachment.path.suffix.removeprefix(".")
        allure.attach(
            attachment.path.read_bytes(), name, attachment_type=attachment.media_type, extension=extension
        )


def _files(context: TestContext) -> Iterator[Attachment]:
    for machine in context.machines:
        yield from attachments(machine.directory)
    if context.services is not None:
        for log in context.services.logs:
            yield Attachment(log, f"Log of the service {log.stem}", TEXT)
