"""Functions that run once for each row of a table (kola.cases.table)."""

from __future__ import annotations

from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cases.catalog import Module, own_root
from kola.cases.table import TABLE, Row, read_table

ARGUMENT = "row"
"""Name of the argument that receives the row."""


def generate(metafunc: pytest.Metafunc) -> None:
    """Parametrize a function whose marker names a table. A bad table fails the collection of its module."""
    keywords = _keywords(metafunc.definition)
    if TABLE not in keywords:
        return
    path = metafunc.definition.path
    root = own_root() if path.is_relative_to(own_root()) else path.parent
    module = Module.at(path, root=root)
    try:
        rows = read_table(
            keywords,
            suite=module.suite,
            module=module.name,
            function=metafunc.definition.originalname,
            path=path,
            line=(metafunc.definition.location[1] or 0) + 1,
        )
    except ConfigError as error:
        pytest.fail(str(error), pytrace=False)
    metafunc.parametrize(ARGUMENT, [_parameter(row) for row in rows])


def _parameter(row: Row) -> Any:
    marks = [pytest.mark.machine(**row.machine)] if row.machine else []
    return pytest.param(row, id=row.info.name, marks=marks)


def row_of(item: pytest.Item) -> Row | None:
    """Return the row an item was made for, or None."""
    callspec = getattr(item, "callspec", None)
    row = callspec.params.get(ARGUMENT) if callspec is not None else None
    return row if isinstance(row, Row) else None


def _keywords(definition: pytest.Item) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    for mark in reversed(list(definition.iter_markers("kola"))):
        keywords |= mark.kwargs
    return keywords
