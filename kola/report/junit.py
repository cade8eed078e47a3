"""JUnit XML as Jenkins, GitLab and GitHub read it: the Ant schema, with properties of test cases."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import kola
from kola.cases.model import FailureKind, Verdict
from kola.report.attachments import attachments_of
from kola.report.console import headline
from kola.report.files import write_text
from kola.report.result import Filtered, RunResult, TestResult
from kola.report.telling import plain
from kola.report.verdict import verdict_of

_CLASS = "kola"
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_THE_TESTS = (FailureKind.INFRASTRUCTURE, FailureKind.CONFIG)
_TYPED = ("pattern", "bank", "shard")
"""Stages that remove tests nobody asked for: these are counted, but are not test cases."""


def write_junit(run: RunResult, path: Path) -> None:
    """Write the report of `run` to `path` atomically."""
    write_text(path, junit(run))


def junit(run: RunResult) -> str:
    """Return one suite, with a test case for each test under kola's name.

    A failure that is not the test's (infrastructure, config) is an `<error>`. A bucket is represented by its
    members. A test that only warns has passed: its property `verdict` is WARN, and `<system-err>` gives the
    reason. Filtered tests are `<skipped>`.
    """
    tests = [one for test in run.tests for one in leaves(test)]
    left_out = [one for one in run.filtered if one.stage not in _TYPED]
    failed = [test for test in tests if test.failed]
    errors = sum(test.kind in _NOT_THE_TESTS for test in failed)
    suite = ET.Element(
        "testsuite",
        name=_CLASS,
        tests=str(len(tests) + len(left_out)),
        failures=str(len(failed) - errors),
        errors=str(errors),
        skipped=str(sum(test.verdict is Verdict.SKIP for test in tests) + len(left_out)),
        time=f"{run.seconds:.3f}",
        timestamp=run.started.isoformat(timespec="seconds"),
    )
    _properties(suite, _of_run(run))
    suite.extend(_case(run, test) for test in tests)
    suite.extend(_left_out(one) for one in left_out)
    if run.interrupted:
        _text(suite, "system-err", f"interrupted: {run.interrupted}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def leaves(test: TestResult) -> list[TestResult]:
    """Return the test itself, or its members if it has any."""
    return [one for sub in test.subtests for one in leaves(sub)] or [test]


def _of_run(run: RunResult) -> Iterable[tuple[str, str]]:
    yield "verdict", verdict_of(run).value
    yield "build", run.version
    yield "platform", run.platform
    yield "distro", run.distro
    yield "arch", run.arch
    yield "kola", kola.__version__
    yield "output", str(run.output_dir)
    for stage, count in Counter(one.stage for one in run.filtered).items():
        yield f"filtered.{stage}", str(count)


def of_test(run: RunResult, test: TestResult) -> list[tuple[str, str]]:
    """Return the facts on a test that people search by; Allure results have them, too."""
    facts = [
        ("verdict", test.verdict.value),
        ("kind", test.kind.value if test.kind else ""),
        ("cause", test.cause),
        ("boot", " ".join(test.boot)),
        ("host", " ".join(test.hosts)),
        ("build", run.version),
        ("kola", kola.__version__),
        ("attempts", str(test.attempts) if test.attempts > 1 else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _case(run: RunResult, test: TestResult) -> ET.Element:
    case = ET.Element("testcase", classname=_CLASS, name=_clean(test.name), time=f"{test.seconds:.3f}")
    _properties(case, of_test(run, test))
    match test.verdict:
        case Verdict.FAIL:
            tag = "error" if test.kind in _NOT_THE_TESTS else "failure"
            found = _text(case, tag, test.output or test.reason)
            found.set("message", _clean(test.reason or headline(test)))
            found.set("type", headline(test))
        case Verdict.SKIP:
            ET.SubElement(case, "skipped", message=_clean(test.reason))
    files = [f"[[ATTACHMENT|{one.path}]]" for one in attachments_of(run.output_dir, test)]
    said = "" if test.failed else test.output
    if said or files:
        _text(case, "system-out", "\n".join(part for part in (said.rstrip(), *files) if part))
    if test.verdict in (Verdict.WARN, Verdict.FLAKY):
        _text(case, "system-err", f"{test.verdict}: {test.reason or headline(test)}")
    return case


def _left_out(one: Filtered) -> ET.Element:
    case = ET.Element("testcase", classname=_CLASS, name=_clean(one.name), time="0")
    _properties(case, [("verdict", "filtered"), ("stage", one.stage)])
    ET.SubElement(case, "skipped", message=_clean(f"filtered by {one.stage}: {one.reason}"))
    return case


def _properties(parent: ET.Element, facts: Iterable[tuple[str, str]]) -> None:
    group = ET.SubElement(parent, "properties")
    for name, value in facts:
        ET.SubElement(group, "property", name=name, value=_clean(value))


def _text(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = _clean(text)
    return element


def _clean(text: str) -> str:
    """Return the text without characters that XML 1.0 forbids."""
    return _NOT_XML.sub("?", plain(text))
