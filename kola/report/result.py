"""Results of a test and of a run: plain values that travel between processes as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from kola.cases.model import FailureKind, Verdict
from kola.report.comparison import Comparison


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """The outcome of one test.

    `cause` is the stable name of the failure (`kernel-panic`), `reason` the reason for a skip or a warning,
    `boot` the way each machine booted (`cold`, `clone`), `machines` their directories relative to the output
    directory, `hosts` the names of the hosts that ran it, if hosts have names. A subtest's `name` is its own,
    without the parent's. `started` is in seconds since 1970, or 0 if unknown. `kept` are the names of
    machines that stay, as `kola ps` lists them.
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
    hosts: tuple[str, ...] = ()
    subtests: tuple[TestResult, ...] = ()
    nodeid: str = ""
    attempts: int = 1
    reason: str = ""
    started: float = 0.0
    kept: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return self.verdict is Verdict.FAIL

    def walk(self) -> Iterator[TestResult]:
        """Yield the subtests, deepest first and under their full names `parent/sub`, then the test itself."""
        for sub in self.subtests:
            yield from replace(sub, name=f"{self.name}/{sub.name}").walk()
        yield self

    def to_json(self) -> dict[str, Any]:
        """Return data of JSON types only, with text in UTF-8, so that an xdist worker can send it."""
        data: dict[str, Any] = _plain(asdict(self))
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TestResult:
        """Return the inverse of `to_json`.

        Raises pydantic's ValidationError, a ValueError, for anything else.
        """
        return _adapter().validate_python(data)


def _plain(value: Any) -> Any:
    """Convert to JSON types; bytes that are not text become escapes."""
    match value:
        case str() | Path():
            return str(value).encode("utf-8", "backslashreplace").decode()
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value


@cache
def _adapter() -> TypeAdapter[TestResult]:
    return TypeAdapter(TestResult)


@dataclass(frozen=True)
class Filtered:
    """A test that did not run: the stage that removed it (such as `denylist`), and the reason."""

    name: str
    stage: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The data of a run for all reports. `version` is the build id; `started` has a time zone.

    `clones` compares tests in clones with cold ones, on request. `exit_code` is the exit status of the
    process, decided by `kola.report.verdict.exit_code`.
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
