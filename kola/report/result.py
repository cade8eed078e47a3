"""What came of a test and of a run: plain values that travel between processes as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kola.model import FailureKind, Verdict
from kola.report.comparison import Comparison

RESULT_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """The outcome of one test.

    `cause` is the short stable name of what went wrong (`kernel-panic`), `reason` why it was skipped or
    only warned about, `boot` how each machine came up (`cold`, `clone`), `machines` their directories
    relative to the output directory. A subtest's `name` is its own, without the parent's.
    """

    __test__ = False

    name: str
    verdict: Verdict
    seconds: float
    output: str = ""
    kind: FailureKind | None = None
    cause: str = ""
    boot: tuple[str, ...] = ()
    machines: tuple[Path, ...] = ()
    subtests: tuple[TestResult, ...] = ()
    nodeid: str = ""
    attempts: int = 1
    reason: str = ""

    @property
    def failed(self) -> bool:
        return self.verdict is Verdict.FAIL

    def walk(self) -> Iterator[TestResult]:
        """The subtests, deepest first and under their full names `parent/sub`, then the test itself."""
        for sub in self.subtests:
            yield from replace(sub, name=f"{self.name}/{sub.name}").walk()
        yield self

    def to_json(self) -> dict[str, Any]:
        """Only what JSON knows, so that an xdist worker can hand it over."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "seconds": self.seconds,
            "output": self.output,
            "kind": self.kind.value if self.kind else None,
            "cause": self.cause,
            "boot": list(self.boot),
            "machines": [str(path) for path in self.machines],
            "subtests": [sub.to_json() for sub in self.subtests],
            "nodeid": self.nodeid,
            "attempts": self.attempts,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TestResult:
        """The inverse of `to_json`; KeyError or ValueError for anything else."""
        return cls(
            name=data["name"],
            verdict=Verdict(data["verdict"]),
            seconds=float(data["seconds"]),
            output=data["output"],
            kind=FailureKind(data["kind"]) if data["kind"] is not None else None,
            cause=data["cause"],
            boot=tuple(data["boot"]),
            machines=tuple(Path(path) for path in data["machines"]),
            subtests=tuple(cls.from_json(sub) for sub in data["subtests"]),
            nodeid=data["nodeid"],
            attempts=int(data["attempts"]),
            reason=data["reason"],
        )


@dataclass(frozen=True)
class Filtered:
    """A test that did not run because a filter took it out: at which stage (`denylist`), and why."""

    name: str
    stage: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Everything a report says about one run. `version` is the build id; `started` carries its zone.

    `clones` compares tests in clones with cold ones, on request.
    `exit_code` is what the process ends with, decided by `kola.report.verdict.exit_code`.
    """

    tests: tuple[TestResult, ...]
    platform: str
    version: str
    distro: str
    started: datetime
    seconds: float
    output_dir: Path
    exit_code: int
    filtered: tuple[Filtered, ...] = ()
    notices: tuple[str, ...] = ()
    arch: str = ""
    interrupted: str = ""
    clones: tuple[Comparison, ...] = ()

    @property
    def disagreements(self) -> tuple[Comparison, ...]:
        return tuple(comparison for comparison in self.clones if comparison.disagrees)

    def count(self, verdict: Verdict) -> int:
        return sum(test.verdict is verdict for test in self.tests)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": RESULT_FORMAT,
            "tests": [test.to_json() for test in self.tests],
            "platform": self.platform,
            "version": self.version,
            "distro": self.distro,
            "started": self.started.isoformat(),
            "seconds": self.seconds,
            "output_dir": str(self.output_dir),
            "exit_code": self.exit_code,
            "filtered": [[f.name, f.stage, f.reason] for f in self.filtered],
            "notices": list(self.notices),
            "arch": self.arch,
            "interrupted": self.interrupted,
            "clones": [comparison.to_json() for comparison in self.clones],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunResult:
        """The inverse of `to_json`; KeyError or ValueError for anything else."""
        if data["format"] != RESULT_FORMAT:
            raise ValueError(f"run result of format {data['format']}, this is format {RESULT_FORMAT}")
        return cls(
            tests=tuple(TestResult.from_json(test) for test in data["tests"]),
            platform=data["platform"],
            version=data["version"],
            distro=data["distro"],
            started=datetime.fromisoformat(data["started"]),
            seconds=float(data["seconds"]),
            output_dir=Path(data["output_dir"]),
            exit_code=int(data["exit_code"]),
            filtered=tuple(Filtered(*entry) for entry in data["filtered"]),
            notices=tuple(data["notices"]),
            arch=data["arch"],
            interrupted=data["interrupted"],
            clones=tuple(Comparison.from_json(entry) for entry in data["clones"]),
        )
