"""Which kola test a pytest item is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kola.model import TestInfo
from kola.select.catalog import Module, info_from_marker, own_root


def identify(item: pytest.Item) -> TestInfo | None:
    """The item's TestInfo, from its markers; None for tests that are not kola's."""
    own = getattr(item, "kola_info", None)
    if isinstance(own, TestInfo):
        return own
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
    return replace(info, name=info.name + _suffix(item))


def _suffix(item: pytest.Function) -> str:
    callspec = getattr(item, "callspec", None)
    if callspec is None:
        return ""
    copy = callspec.params.get("kola_copy")
    rest = [text for text in callspec.id.split("-") if text] if copy is None else []
    number = "" if copy is None else str(copy)
    return number + (f"[{'-'.join(rest)}]" if rest else "")
