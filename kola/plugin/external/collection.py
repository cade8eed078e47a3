"""Collection of external tests. Registered in sessions that have a plan."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kola.cases.broken import BrokenTest
from kola.cases.catalog import collected_by_pytest
from kola.cases.external.discover import Discovery, ExternalTest, Root, discover
from kola.plugin.broken import BrokenItem, Unusable, names_of
from kola.plugin.external.bucket_item import bucket_of
from kola.plugin.external.items import ExternalItem
from kola.plugin.keys import INFO
from kola.run.plan import RunPlan
from kola.shell.bucket import BUCKET, may_share, pack
from kola.shell.need import spec_for, unusual

ALL_TESTS = Path(__file__).with_name("external.tests")
"""The file from which every chosen test is collected that is not a function of a Python file."""

Entry = ExternalTest | BrokenTest


class ExternalTests:
    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan

    @cached_property
    def _discovery(self) -> Discovery:
        return discover(Root(Path(directory), prefix) for directory, prefix in self._plan.external_roots)

    @cached_property
    def _unnameable(self) -> list[BrokenTest]:
        """Python tests whose file pytest cannot collect, since it has no name for it."""
        return [
            BrokenTest(name, Unusable(why), Path(file))
            for name, file, why in self._plan.broken
            if not collected_by_pytest(Path(file))
        ]

    def entries(self, path: Path) -> list[Entry]:
        """Return the tests of a file: the file itself, under each of its names, or all tests."""
        every: list[Entry] = [*self._discovery.tests, *self._discovery.broken, *self._unnameable]
        if path == ALL_TESTS:
            return every
        wanted = _key(path)
        return [entry for entry in every if _key(_path(entry)) == wanted]

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if (not self._plan.external_roots and file_path != ALL_TESTS) or not self.entries(file_path):
            return None
        return ExternalFile.from_parent(
            parent, path=file_path, plan=self._plan, entries=self.entries(file_path)
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Count similar machines; with `--isolation=bucket`, make one item of all tests that share a machine.

        The choice of tests has been made before.
        """
        _count_alike([item for item in items if isinstance(item, ExternalItem)], self._plan)
        if self._plan.isolation != "bucket":
            return
        sharing = [item for item in items if isinstance(item, ExternalItem) and may_share(item.test)]
        sharing.sort(key=lambda item: item.name)
        shared = [bucket for bucket in pack([(item.test, item) for item in sharing]) if len(bucket) > 1]
        gone = {item for bucket in shared for item in bucket}
        items[:] = [item for item in items if item not in gone]
        for number, bucket in enumerate(shared):
            item = bucket_of(session, number, bucket, BUCKET)
            item.stash[INFO] = item.bucket_info(self._plan.minutes)
            items.append(item)


class ExternalFile(pytest.File):
    """An executable of a `tests/kola` tree, or ALL_TESTS."""

    def __init__(self, *, plan: RunPlan, entries: list[Entry], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._plan = plan
        self._entries = entries

    def collect(self) -> Iterator[pytest.Item]:
        chosen = frozenset(self._plan.tests)
        for entry in self._entries:
            name = entry.info.name
            for one in names_of(name, self._plan):
                if self.path == ALL_TESTS and one not in chosen:
                    continue
                if isinstance(entry, ExternalTest):
                    yield ExternalItem.from_parent(self, name=one, test=entry)
                else:
                    yield BrokenItem.of(self, one, entry)


def _count_alike(items: list[ExternalItem], plan: RunPlan) -> None:
    """Tell each test how many request the same machine."""
    specs = {item: spec for item in items if unusual(item.test) and (spec := spec_for(item.test, plan))}
    counts = Counter(specs.values())
    for item, spec in specs.items():
        item.alike = counts[spec]


def _path(entry: Entry) -> Path:
    return entry.executable if isinstance(entry, ExternalTest) else entry.path


def _key(path: Path) -> tuple[str, str]:
    return os.path.realpath(path.parent), path.name
