"""Live results of a running bucket: each member's verdict, for the console."""

from __future__ import annotations

import pytest

from kola.report.result import TestResult


def tell_member(bucket: pytest.Item, result: TestResult) -> None:
    """Send the result of a member through pytest's hooks, which xdist carries to the controller.

    To pytest it is a setup that passed, which no summary counts.
    """
    report = pytest.TestReport(
        nodeid=bucket.nodeid,
        location=bucket.location,
        keywords={},
        outcome="passed",
        longrepr=None,
        when="setup",
    )
    report.kola_member = result.to_json()  # type: ignore[attr-defined]  # travels with the report through xdist
    bucket.ihook.pytest_runtest_logreport(report=report)
