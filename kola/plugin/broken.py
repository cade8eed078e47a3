"""Pytest items for tests that cannot run, each with the reason."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.util.quote import printable
from kola.cases.broken import BrokenTest
from kola.cases.model import TestInfo
from kola.cases.names import copy_name
from kola.run.plan import RunPlan


class Unusable(ConfigError):
    """The reason why a test cannot run: a complete sentence, with its file and line."""


class BrokenItem(pytest.Item):
    """A test that cannot run as it is written: it fails or is skipped with the reason."""

    def __init__(self, *, error: ConfigError, source: Path, skip: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._error = error
        self._source = source
        self._skip = skip
        self.kola_info = TestInfo(self.name, source=source, line=error.line)

    @classmethod
    def of(cls, parent: pytest.Collector, name: str, test: BrokenTest) -> BrokenItem:
        item = cls.from_parent(parent, name=name, error=test.error, source=test.path)
        assert isinstance(item, BrokenItem)
        return item

    def runtest(self) -> None:
        if self._skip:
            pytest.skip(self._skip)
        raise self._error

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value)

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        line = self._error.line
        path = printable(str(self._error.file or self._source))
        return Path(path), line - 1 if line else None, self.name


def names_of(test: str, plan: RunPlan) -> list[str]:
    """Return the names under which a test runs: its own, or those of its copies."""
    return [copy_name(test, n) for n in range(plan.multiply)] if plan.multiply > 1 else [test]
