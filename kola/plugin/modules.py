"""Files of Python tests. An error in a file breaks only its own tests, each of which reports it."""

from __future__ import annotations

import traceback
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cases.catalog import Module, own_root, read_module
from kola.plugin.broken import BrokenItem, Unusable, names_of
from kola.plugin.items import identify
from kola.run.plan import RunPlan

_OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception)


class PythonTests:
    """The collector of the suites' files. Registered in sessions that have a plan."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan

    def pytest_pycollect_makemodule(
        self, module_path: Path, parent: pytest.Collector
    ) -> pytest.Module | None:
        if not module_path.is_relative_to(own_root()):
            return None
        module = KolaModule.from_parent(parent, path=module_path, plan=self._plan)
        assert isinstance(module, KolaModule)
        return module

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str) -> Generator[None, Any, Any]:
        """Turn a function that cannot be parametrised into a broken test; its neighbours stay usable."""
        try:
            return (yield)
        except (pytest.Collector.CollectError, *_OUTCOMES) as error:
            if not isinstance(collector, KolaModule):
                raise
            return list(collector.unusable(error, function=name))


class KolaModule(pytest.Module):
    """A test file of the suites."""

    def __init__(self, *, plan: RunPlan, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._plan = plan

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        broken = {name: why for name, file, why in self._plan.broken if Path(file) == self.path}
        for name, why in broken.items():
            yield from self._items(name, Unusable(why))
        try:
            collected = list(super().collect())
        except (Exception, SystemExit, *_OUTCOMES) as error:  # a file may raise anything while it is imported
            yield from self.unusable(error)
            return
        for node in collected:
            if isinstance(node, BrokenItem):
                yield node
            elif isinstance(node, pytest.Function):
                yield from self._usable(node, broken)

    def _usable(self, item: pytest.Function, broken: dict[str, str]) -> Iterator[pytest.Item]:
        """Yield the item unless its test is broken, which another item reports."""
        try:
            info = identify(item)
        except ConfigError:
            return
        if info is None:
            return
        if {info.name, info.family} & {one for name in broken for one in names_of(name, self._plan)}:
            return
        if info.name not in self._plan.tests and self._is_chosen(info.family):
            why = "its parameters come from a fixture or a hook, which `kola list` cannot read"
            error = Unusable(
                why, file=self.path, line=info.line, hint="write @pytest.mark.parametrize above it"
            )
            broken[info.family] = str(error)
            yield from self._items(info.family, error)
            return
        yield item

    def _is_chosen(self, name: str) -> bool:
        return not set(self._plan.tests).isdisjoint(names_of(name, self._plan))

    def unusable(self, error: BaseException, function: str | None = None) -> Iterator[BrokenItem]:
        """Yield items for the tests of the file, or of one function, that pytest cannot collect."""
        catalog = read_module(Module.at(self.path, root=own_root()))
        known = {test for tests in catalog.functions.values() for test in tests}
        names = set(catalog.functions.get(function, ())) if function is not None else known
        names -= {test.name for test in catalog.broken}
        lines = {test.name: test.line for test in catalog.tests}
        reason = _reason(error, self.path)
        skip = str(error.msg) if isinstance(error, pytest.skip.Exception) else ""
        for name in sorted(names):
            line = reason.line or lines.get(name)
            yield from self._items(name, Unusable(reason.message, file=self.path, line=line), skip=skip)

    def _items(self, name: str, error: ConfigError, *, skip: str = "") -> Iterator[BrokenItem]:
        for one in names_of(name, self._plan):
            if one in self._plan.tests:
                item = BrokenItem.from_parent(self, name=one, error=error, source=self.path, skip=skip)
                assert isinstance(item, BrokenItem)
                yield item


def _reason(error: BaseException, path: Path) -> Unusable:
    """Return one sentence, with the place in the file, on why pytest could not collect it."""
    cause = error.__cause__
    if cause is None and isinstance(error, (pytest.Collector.CollectError, *_OUTCOMES)):
        text = str(error).strip()
        return Unusable(text.splitlines()[-1] if text else type(error).__name__, file=path)
    cause = cause or error
    frames = [frame for frame in traceback.extract_tb(cause.__traceback__) if frame.filename == str(path)]
    line = frames[-1].lineno if frames else getattr(cause, "lineno", None)
    return Unusable(f"cannot be imported: {type(cause).__name__}: {cause}", file=path, line=line)
