"""What the whole of kola agrees a test is, and what can come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """The outcome of one test, in the words of kola's report.json."""

    PASS = "PASS"
    FAIL = "FAIL"
    WARN = "WARN"
    SKIP = "SKIP"
    FLAKY = "FLAKY"


class FailureKind(StrEnum):
    """Who has to act on a failure."""

    TEST = "test"
    GUEST = "guest"
    INFRASTRUCTURE = "infrastructure"
    CONFIG = "config"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Selector:
    """An allow-list, or with `exclude` a deny-list, of words; an empty one allows everything."""

    words: tuple[str, ...] = ()
    exclude: bool = False

    @classmethod
    def parse(cls, text: str) -> Selector:
        """kola's form: words separated by blanks, a leading `!` turns the whole list into an exclusion."""
        stripped = text.strip()
        exclude = stripped.startswith("!")
        words = tuple(stripped.removeprefix("!").split())
        return cls(words=words, exclude=exclude and bool(words))

    def allows(self, word: str) -> bool:
        if not self.words:
            return True
        return (word in self.words) != self.exclude


@dataclass(frozen=True)
class TestInfo:
    """One test as selection sees it, whether written in Python or in shell.

    `minutes` is None for the default of the context (10, or 1 inside a bucket). `source` is where a
    person finds it. `tokens` and `host_ports` are what it must have to itself on the whole host.
    """

    __test__ = False

    name: str
    description: str = ""
    tags: frozenset[str] = frozenset()
    required_tag: str | None = None
    platforms: Selector = field(default_factory=Selector)
    architectures: Selector = field(default_factory=Selector)
    distros: Selector = field(default_factory=Selector)
    exclusive: bool = True
    conflicts: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    host_ports: tuple[int, ...] = ()
    minutes: float | None = None
    firmware: Selector = field(default_factory=Selector)
    needs: tuple[str, ...] = ()
    grace_until: str | None = None
    guide: tuple[str, ...] = ()
    source: Path | None = None
    line: int | None = None
