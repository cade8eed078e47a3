"""The criteria of a selection, and its result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from kola.cases.model import TestInfo


class Stage(StrEnum):
    """The filters, in the order in which they apply."""

    NO_NET = "no-net"
    EXCLUDED_TAG = "excluded-tag"
    BANK = "bank"
    REQUIRED_TAG = "required-tag"
    PATTERN = "pattern"
    PLATFORM_INDEPENDENT = "platform-independent"
    PLATFORM = "platform"
    ARCHITECTURE = "architecture"
    DISTRO = "distro"
    FEATURE = "feature"
    FIRMWARE = "firmware"
    DENYLIST = "denylist"
    SHARD = "shard"


@dataclass(frozen=True)
class Selection:
    """Everything that determines which tests run. `None` means any, or for the build's facts unknown.

    `tags` are as typed, `!` included. `bank` is the required tag of a bank of tests that has a command of its
    own. `granted` are tests that run without the tag they require. `absent` are features the system lacks,
    with the reasons. `durations` (test name to seconds) serve `time:` shards.
    """

    patterns: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    bank: str | None = None
    granted: frozenset[str] = frozenset()
    platform: str | None = "qemu"
    architecture: str | None = "x86_64"
    distro: str | None = "nestos"
    also_distros: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    firmware: str | None = None
    no_net: bool = False
    run_platform_independent: bool = False
    denylist: Path | None = None
    denylist_tests: tuple[str, ...] = ()
    stream: str | None = None
    osversion: str | None = None
    today: date = field(default_factory=date.today)
    multiply: int = 1
    sharding: str | None = None
    durations: Mapping[str, float] = field(default_factory=dict)

    @property
    def wanted_tags(self) -> frozenset[str]:
        return frozenset(tag for tag in self.tags if not tag.startswith("!"))

    @property
    def unwanted_tags(self) -> frozenset[str]:
        return frozenset(tag.removeprefix("!") for tag in self.tags if tag.startswith("!"))

    @property
    def typed_patterns(self) -> tuple[str, ...]:
        """The patterns, or none when `*` is among them: that selects everything, like no pattern."""
        return () if "*" in self.patterns else self.patterns


@dataclass(frozen=True)
class Filtered:
    """A test that will not run, and the reason."""

    name: str
    stage: Stage
    reason: str


@dataclass(frozen=True)
class Chosen:
    """The tests to run, in order of their names, and the others with their reasons.

    `origins` maps a multiplied name to the original test.
    """

    tests: tuple[TestInfo, ...]
    filtered: tuple[Filtered, ...] = ()
    notices: tuple[str, ...] = ()
    warn_on_failure: frozenset[str] = frozenset()
    console_warnings_only: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return the number of tests that each stage removed, in the order of the stages."""
        counted = Counter(one.stage for one in self.filtered)
        return {stage.value: counted[stage] for stage in Stage if counted[stage]}
