"""The format of `reports/report.json`: mantle's harness/reporters/json.go, with additional keys of ours."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kola.cases.model import FailureKind, Verdict


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Entry(_Part):
    """A test, or under `parent/sub` a subtest.

    `duration` is in nanoseconds, `started` in seconds since 1970. The keys from `flaky` on are ours, and
    absent from reports of the Go kola.
    """

    name: str = Field(min_length=1)
    subtests: tuple[str, ...] | None = None
    result: Verdict
    duration: int = 0
    output: str = ""
    flaky: bool = False
    kind: FailureKind | None = None
    cause: str = ""
    reason: str = ""
    boot: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    attempts: int = 1
    nodeid: str = ""
    started: float = 0.0


class FilteredEntry(_Part):
    """A test that a filter removed."""

    name: str
    stage: str
    reason: str


class CloneEntry(_Part):
    """A test in a clone and cold; `agrees` is null when there was no cold machine."""

    name: str
    clone: Verdict
    cold: Verdict | None
    agrees: bool | None = None
    why: str = ""
    machines: tuple[str, ...] = ()


class ReportFile(_Part):
    """The whole file. The Go kola writes null for the tests of a run without any."""

    tests: tuple[Entry, ...] | None
    result: Literal["PASS", "WARN", "FAIL"] | None = None
    platform: str = ""
    version: str = ""
    distro: str = ""
    arch: str = ""
    started: datetime | None = None
    duration: int = 0
    exit_code: int | None = None
    filtered: tuple[FilteredEntry, ...] = ()
    notices: tuple[str, ...] = ()
    interrupted: str = ""
    clones: tuple[CloneEntry, ...] = ()
