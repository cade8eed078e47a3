"""The part of the pytest plugin that knows external tests. Registered in sessions that have a plan."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kola.external.bucket import BUCKET, may_share, pack
from kola.external.bucket_item import bucket_of
from kola.external.discover import BrokenTest, Discovery, ExternalTest, Root, discover
from kola.external.items import BrokenItem, ExternalItem
from kola.plugin.keys import INFO
from kola.run.plan import RunPlan

ALL_TESTS = Path(__file__).with_name("external.tests")
"""The file from which every chosen test is collected."""

Entry = ExternalTest | BrokenTest


class ExternalTests:
    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan

    @cached_property
    def _discovery(self) -> Discovery:
        return discover(Root(Path(directory), prefix) for directory, prefix in self._plan.external_roots)

    def entries(self, path: Path) -> list[Entry]:
        """The tests that a file stands for: itself, under each name it has, or all of them."""
        every: list[Entry] = [*self._discovery.tests, *self._discovery.broken]
        if path == ALL_TESTS:
            return every
        wanted = _key(path)
        return [entry for entry in every if _key(_path(entry)) == wanted]

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if not self._plan.external_roots or not self.entries(file_path):
            return None
        return ExternalFile.from_parent(
            parent, path=file_path, plan=self._plan, entries=self.entries(file_path)
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """With `--isolation=bucket`, one item for all that share a machine; the choice is made by now."""
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
            names = [f"{name}{n}" for n in range(self._plan.multiply)] if self._plan.multiply > 1 else [name]
            for one in names:
                if self.path == ALL_TESTS and one not in chosen:
                    continue
                if isinstance(entry, ExternalTest):
                    yield ExternalItem.from_parent(self, name=one, test=entry)
                else:
                    yield BrokenItem.from_parent(self, name=one, broken=entry)


def _path(entry: Entry) -> Path:
    return entry.executable if isinstance(entry, ExternalTest) else entry.path


def _key(path: Path) -> tuple[str, str]:
    return os.path.realpath(path.parent), path.name
