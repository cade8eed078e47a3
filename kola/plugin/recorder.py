"""Collection of every test's result, wherever it ran, and writing of the reports."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cases.model import FailureKind, Verdict
from kola.plugin.allure import take_over
from kola.plugin.enter import enter_failed
from kola.report.allure import write_allure
from kola.report.console import Console
from kola.report.events import EventLog, read_events
from kola.report.properties import Properties, write_properties
from kola.report.rerun import as_pattern
from kola.report.result import Filtered, RunResult, TestResult
from kola.report.summary import closing_line, summary
from kola.report.templates import template_notices
from kola.report.verdict import exit_code
from kola.report.write import write_reports
from kola.run import durations
from kola.run.options import NOT_AGAIN, RUN, lasting, words
from kola.run.resolve import Resolved

_NAMED = 4
"""Number of tests that a sentence names; for more it gives the number."""


class Recorder:
    """The record of a run, kept in the controller or the only process."""

    def __init__(self, config: pytest.Config, resolved: Resolved) -> None:
        self._config = config
        self._resolved = resolved
        self._plan = resolved.plan
        self._results: dict[str, TestResult] = {}
        self._names: dict[str, str] = {}
        self._collected: dict[str, None] = {}
        self._reported: set[str] = set()
        self._members: dict[str, set[str]] = {}
        self._foreign = False
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._interrupted = ""
        self._given_up = ""
        self._workers: list[int] = []
        self.console = Console(
            sys.stdout, verbose=resolved.options.verbose, with_hosts=len(resolved.plan.hosts) > 1
        )
        self.run: RunResult | None = None
        args = config.option
        self._closes = bool(getattr(args, "kola_closes", True))
        self._timed = bool(getattr(args, "kola_timed", True))
        self._allure = take_over(config)
        self._warn_exits_77 = resolved.options.on_warn_failure_exit_77
        self._tapfile = resolved.options.tapfile if self._timed else None
        self._junit = resolved.options.junitxml if self._timed else None
        self._events = EventLog(resolved.output.events)
        self._events.emit("run-start", build=self._plan.build_id, tests=len(self._plan.tests))
        write_properties(
            Properties(
                cmdline=sys.argv,
                platform=self._plan.platform,
                distro=self._plan.distro.family,
                qemu_image=str(self._plan.image),
                qemu_image_size=self._plan.defaults.primary_size or "",
                qemu_swtpm=self._plan.defaults.swtpm,
                build=self._plan.build_id,
                arch=self._plan.arch,
                command=resolved.options.command,
                options=lasting(resolved.options),
                tests=self._plan.tests,
            ),
            resolved.output.properties,
        )

    @cached_property
    def _plain_pytest(self) -> bool:
        """True when pytest itself shows the progress; known once every plugin is configured."""
        return bool(self._config.pluginmanager.has_plugin("terminalreporter"))

    # During the run

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node: object) -> None:
        info = getattr(node, "workerinfo", {})
        if "pid" in info:
            self._workers.append(int(info["pid"]))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected |= dict.fromkeys(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        self._collected |= dict.fromkeys(ids)

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._names[nodeid] = location[2]
        if not self._plain_pytest and nodeid not in self._results:
            self.console.started(location[2])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        member = getattr(report, "kola_member", None)
        if member is not None:
            self._ended_in_bucket(report.nodeid, TestResult.from_json(member))
            return
        self._reported.add(report.nodeid)
        data = getattr(report, "kola", None)
        if data is not None:
            self._finished(TestResult.from_json(data))
        elif getattr(report, "kola_crash", "") == "final":
            self._finished(self._crashed(report))
        elif report.nodeid not in self._names:
            self._foreign = True  # a test that is not kola's, which pytest itself reports

    def _finished(self, result: TestResult) -> None:
        self._results[result.nodeid] = result
        if not self._plain_pytest:
            self.console.finished(result, shown=self._members.get(result.nodeid, ()))
        if result.kept and self._resolved.options.ssh_on_test_failure:
            enter_failed(result, self._config, stay=self._resolved.options.keep_on_failure)

    def _ended_in_bucket(self, bucket: str, member: TestResult) -> None:
        self._members.setdefault(bucket, set()).add(member.name)
        if not self._plain_pytest:
            self.console.member(self._names.get(bucket, bucket), member)

    def _crashed(self, report: pytest.TestReport) -> TestResult:
        return TestResult(
            name=self._names.get(report.nodeid, report.nodeid.rpartition("::")[2]),
            verdict=Verdict.FAIL,
            seconds=0.0,
            output=str(report.longrepr),
            kind=FailureKind.INFRASTRUCTURE,
            cause="worker-crashed",
            reason="the process that ran it ended, twice",
            nodeid=report.nodeid,
            attempts=2,
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.failed:
            return
        self._finished(
            TestResult(
                name=report.nodeid,
                verdict=Verdict.FAIL,
                seconds=0.0,
                output=report.longreprtext,
                kind=FailureKind.CONFIG,
                cause="cannot-be-collected",
                reason="this test file cannot be read",
                nodeid=report.nodeid,
            )
        )

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Write the reports at once: the end of the run may be cut short, too."""
        by_key = excinfo.typename == "KeyboardInterrupt"
        self._interrupted = "interrupted by Ctrl-C" if by_key else str(excinfo.value)
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.run = self._so_far(False)
        self.write()

    def give_up(self, reason: str) -> None:
        """Take note that no more tests start."""
        self._given_up = reason

    # End of the run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR and not self._interrupted:
            self._interrupted = "pytest met an internal error, which it has said above"
        self.run = self._so_far(session.shouldfail)
        self.write()
        if self._allure is not None and self._timed:
            write_allure(self.run, self._allure)
        if self._timed:
            durations.record((test.name, test.nodeid, test.seconds) for test in self.run.tests if test.nodeid)
        self._events.emit("run-end", exit_code=self.run.exit_code)
        self._events.close()

    def _so_far(self, stopped: bool | str) -> RunResult:
        """Return the run as it is known now; `stopped` is pytest's reason for ending it early."""
        tests = tuple(sorted(self._results.values(), key=lambda result: result.name))
        why = [text for text in (self._interrupted, self._given_up) if text]
        if not why and isinstance(stopped, str) and stopped:
            why = [stopped]
        missing = self._missing(tests)
        if missing:
            why.append(_never_ran(missing))
        interrupted = "; ".join(why) if missing or self._interrupted else ""
        code = exit_code(tests, warn_exits_77=self._warn_exits_77, interrupted=bool(interrupted))
        return RunResult(
            tests=tests,
            platform=self._plan.platform,
            version=self._plan.build_id,
            distro=self._plan.distro.family,
            arch=self._plan.arch,
            started=self._started,
            seconds=time.monotonic() - self._clock,
            output_dir=self._plan.output,
            exit_code=int(code),
            filtered=tuple(
                Filtered(one.name, one.stage.value, one.reason) for one in self._resolved.chosen.filtered
            ),
            notices=(*self._resolved.chosen.notices, *self._without_template()),
            interrupted=interrupted,
        )

    def _without_template(self) -> tuple[str, ...]:
        try:
            return template_notices(read_events(self._resolved.output.events))
        except ConfigError as error:
            return (str(error),)

    def write(self) -> None:
        """Write the reports of the run as it is known now."""
        assert self.run is not None
        junit = getattr(self._config.option, "xmlpath", None)
        taps = [self._tapfile] if self._tapfile is not None else []
        junits = [Path(junit)] if junit and not self._foreign else []
        if self._junit is not None:
            junits.append(self._junit)
        write_reports(self.run, taps=taps, junits=junits)

    def _missing(self, tests: tuple[TestResult, ...]) -> list[str]:
        """Return chosen tests without a verdict: a test that silently did not run is a defect of ours.

        Under plain pytest its own arguments, `-k` and `-m`, choose among the chosen: only collected tests
        count.
        """
        if self._plain_pytest:
            left = [nodeid for nodeid in self._collected if nodeid not in self._reported]
            return [self._names.get(nodeid, nodeid) for nodeid in left]
        ran = {one.name for result in tests for one in (result, *result.subtests)}
        return [name for name in self._plan.tests if name not in ran]

    def _again(self, test: TestResult) -> str:
        """Return the command that runs this test again, with the options of this run."""
        failed = [sub for sub in test.subtests if sub.failed] or [test]  # a bucket cannot be named
        names = [self._resolved.chosen.origins.get(one.name, one.name) for one in failed]
        flags = words(lasting(self._resolved.options), without=NOT_AGAIN | {"parallel"})
        flags += [f"--tag={tag}" for tag in sorted({self._required_tag(name) for name in names} - {""})]
        return shlex.join(["kola", self._resolved.options.command, *flags, *map(as_pattern, names)])

    def _required_tag(self, name: str) -> str:
        info = self._resolved.infos.get(name)
        tag = info.required_tag if info is not None else None
        return tag if tag and self._resolved.options.command == RUN else ""

    def pytest_unconfigure(self) -> None:
        if self._closes:
            self.close()

    def close(self) -> None:
        """Print the last lines on the console."""
        if self.run is not None:
            palette = self.console.palette
            self.console.write(summary(self.run, palette=palette, again=self._again))
            self.console.write(closing_line(self.run, palette=palette))


def _never_ran(missing: Sequence[str]) -> str:
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    noun = "1 chosen test" if len(missing) == 1 else f"{len(missing)} chosen tests"
    return f"{noun} never ran: {', '.join(missing[:_NAMED])}{more}"
