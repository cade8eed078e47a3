"""Tests that cannot run as they are written."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from kola.cases.model import TestInfo


@dataclass(frozen=True)
class BrokenTest:
    """A test that cannot run, and the error that gives the reason.

    `path` is the file that should contain it. `tags` make selection treat it like its neighbours.
    """

    name: str
    error: ConfigError
    path: Path
    tags: frozenset[str] = frozenset({"external"})

    @property
    def info(self) -> TestInfo:
        """The facts for selection, so that the test is chosen by name and reported as failed."""
        line = self.error.line if self.error.file in (None, self.path) else None
        return TestInfo(self.name, tags=self.tags, source=self.path, line=line)


def unused_name(name: str, taken: Container[str]) -> str:
    """Return `name`, with a number appended if it is taken."""
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name}{number}", number + 1
    return unique
