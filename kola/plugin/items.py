"""The kola test of a pytest item."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from kola.cases.catalog import Module, info_from_marker, own_root
from kola.cases.model import TestInfo
from kola.cases.names import case_name, copy_name
from kola.plugin.tables import row_of

COPY = "kola_copy"
_OF_COPIES = re.compile(r"(^|-)kola-copy-\d+(?=-|$)")


def identify(item: pytest.Item) -> TestInfo | None:
    """Return the item's TestInfo, from its markers; None for tests that are not kola's."""
    own = getattr(item, "kola_info", None)
    if isinstance(own, TestInfo):
        return own
    row = row_of(item)
    if row is not None:
        copy = item.callspec.params.get(COPY)  # type: ignore[attr-defined]  # it has a row by it
        return row.info if copy is None else replace(row.info, name=copy_name(row.info.name, copy))
    marks = list(item.iter_markers("kola"))
    if not marks or not isinstance(item, pytest.Function):
        return None
    keywords: dict[str, Any] = {}
    for mark in reversed(marks):
        keywords |= mark.kwargs
    root = own_root() if item.path.is_relative_to(own_root()) else item.path.parent
    module = Module.at(item.path, root=root)
    info = info_from_marker(
        keywords,
        suite=module.suite,
        module=module.name,
        function=item.originalname,
        path=item.path,
        line=(item.location[1] or 0) + 1,
        docstring=item.function.__doc__,
    )
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return info
    copy = callspec.params.get(COPY)
    parameters = _OF_COPIES.sub("", callspec.id)
    if set(callspec.params) - {COPY}:
        info = replace(info, name=case_name(info.name, parameters), family=info.name)
    return info if copy is None else replace(info, name=copy_name(info.name, copy))


def multiply(metafunc: pytest.Metafunc, times: int) -> None:
    """Make `times` copies of each case of a function."""
    metafunc.fixturenames.append(COPY)
    metafunc.parametrize(COPY, range(times), ids=[f"kola-copy-{number}" for number in range(times)])
