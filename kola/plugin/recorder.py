"""Collects what comes of every test, wherever it ran, and writes the reports."""

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

from kola.model import FailureKind, Verdict
from kola.report.console import Console
from kola.report.events import EventLog
from kola.report.properties import Properties, write_properties
from kola.report.report_json import write_report
from kola.report.rerun import as_pattern
from kola.report.result import Filtered, RunResult, TestResult
from kola.report.summary import closing_line, summary
from kola.report.tap import write_tap
from kola.report.verdict import exit_code
from kola.run.resolve import Resolved
from kola.run.typed import NOT_AGAIN, words
from kola.schedule import durations


class Recorder:
    """The controller's (or the only) process' memory of a run."""

    def __init__(self, config: pytest.Config, resolved: Resolved) -> None:
        self._config = config
        self._resolved = resolved
        self._plan = resolved.plan
        self._results: dict[str, TestResult] = {}
        self._names: dict[str, str] = {}
        self._collected: dict[str, None] = {}
        self._reported: set[str] = set()
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._interrupted = ""
        self._workers: list[int] = []
        self.console = Console(sys.stdout)
        self.run: RunResult | None = None
        args = config.option
        self._closes = bool(getattr(args, "kola_closes", True))
        self._timed = bool(getattr(args, "kola_timed", True))
        self._warn_exits_77 = bool(getattr(args, "kola_warn_exits_77", False))
        self._tapfile: Path | None = getattr(args, "kola_tapfile", None)
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
                options=resolved.options,
            ),
            resolved.output.properties,
        )

    @cached_property
    def _plain_pytest(self) -> bool:
        """Whether pytest itself tells how the run goes; known once every plugin is configured."""
        return bool(self._config.pluginmanager.has_plugin("terminalreporter"))

    # What happens

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
        self._reported.add(report.nodeid)
        data = getattr(report, "kola", None)
        if data is not None:
            self._finished(TestResult.from_json(data))
        elif getattr(report, "kola_crash", "") == "final":
            self._finished(self._crashed(report))

    def _finished(self, result: TestResult) -> None:
        self._results[result.nodeid] = result
        if not self._plain_pytest:
            self.console.finished(result)

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
        self._interrupted = (
            "interrupted by Ctrl-C" if excinfo.typename == "KeyboardInterrupt" else str(excinfo.value)
        )
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # The end

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        tests = tuple(sorted(self._results.values(), key=lambda result: result.name))
        missing = self._missing(tests)
        code = exit_code(tests, warn_exits_77=self._warn_exits_77, interrupted=bool(self._interrupted))
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR or (missing and not self._interrupted):
            self._interrupted = self._interrupted or _never_ran(missing, session.shouldfail)
            code = exit_code(tests, warn_exits_77=False, interrupted=True)
        self.run = RunResult(
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
            notices=self._resolved.chosen.notices,
            interrupted=self._interrupted,
        )
        self.write()
        if self._timed:
            durations.record((test.name, test.nodeid, test.seconds) for test in tests if test.nodeid)
        self._events.emit("run-end", exit_code=int(code))
        self._events.close()

    def write(self) -> None:
        """The reports of the run as it is known now."""
        assert self.run is not None
        write_report(self.run, self._resolved.output.report_json)
        write_tap(self.run, self._resolved.output.tap)
        if self._tapfile is not None:
            write_tap(self.run, self._tapfile)

    def _missing(self, tests: tuple[TestResult, ...]) -> list[str]:
        """Chosen tests without a verdict: one that silently did not run is a defect of ours.

        Under plain pytest its own arguments, `-k` and `-m` choose among the chosen: what it collected counts.
        """
        if self._config.option.collectonly:
            return []
        if self._plain_pytest:
            left = [nodeid for nodeid in self._collected if nodeid not in self._reported]
            return [self._names.get(nodeid, nodeid) for nodeid in left]
        ran = {one.name for result in tests for one in (result, *result.subtests)}
        seen = ran | {name.partition("[")[0] for name in ran}
        return [name for name in self._plan.tests if name not in seen]

    def _again(self, test: TestResult) -> str:
        """The command that runs this test again, with the options of this run."""
        failed = [sub for sub in test.subtests if sub.failed] or [test]  # one cannot ask for a bucket
        called = [one.name.partition("[")[0] for one in failed]
        names = [self._resolved.chosen.origins.get(name, name) for name in called]
        flags = words(self._resolved.options, without=NOT_AGAIN | {"parallel"})
        for tag in sorted({self._required_tag(name) for name in names} - {""}):
            flags += ["--tag", tag]
        return shlex.join(["kola", self._resolved.command, *flags, *map(as_pattern, names)])

    def _required_tag(self, name: str) -> str:
        info = self._resolved.infos.get(name)
        tag = info.required_tag if info is not None else None
        return tag if tag and self._resolved.command == "run" else ""

    def pytest_unconfigure(self) -> None:
        if self._closes:
            self.close()

    def close(self) -> None:
        """The last lines on the console."""
        if self.run is not None:
            palette = self.console.palette
            self.console.write(summary(self.run, palette=palette, again=self._again))
            self.console.write(closing_line(self.run, palette=palette))


def _never_ran(missing: Sequence[str], stopped: bool | str) -> str:
    """What is said of tests without a verdict; `stopped` is pytest's word for why it went no further."""
    count = f"{len(missing)} chosen test{'s' if len(missing) > 1 else ''} never ran: {', '.join(missing[:4])}"
    return f"{stopped}; {count}" if isinstance(stopped, str) else count
