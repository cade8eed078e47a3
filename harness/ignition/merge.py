"""Merging of two configs as Ignition does it, and lifting of a config to a later spec version.

Rules: Ignition's operator notes on merging and the behaviour of its public `config/merge`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from harness.ignition.schema import CONFIG, Field, Object, Struct
from harness.ignition.version import SpecVersion

_SPECIAL_MODE_BITS = 0o7000


def merge_trees(parent: Object, child: Object) -> Object:
    """Merge two trees of the same spec version. The child takes precedence."""
    return _merge(parent, child, CONFIG)


def lift(tree: Object, old: SpecVersion, new: SpecVersion) -> Object:
    """Translate a tree to a later version so that its meaning stays the same."""
    lifted = copy.deepcopy(tree)
    if old < new:
        lifted.setdefault("ignition", {})["version"] = str(new)
    storage = lifted.get("storage", {})
    if old.minor < 3 <= new.minor:
        # These were plain strings before 3.3: absent means empty, and empty overrides a parent's value.
        for raid in storage.get("raid", []):
            raid.setdefault("level", "")
        for link in storage.get("links", []):
            link.setdefault("target", "")
    if old.minor < 6 <= new.minor:
        # Ignored before 3.6, effective since: lifting must not grant setuid.
        for node in (*storage.get("files", []), *storage.get("directories", [])):
            if "mode" in node and node["mode"] >= 0:
                node["mode"] &= ~_SPECIAL_MODE_BITS
    return lifted


def _merge(parent: Object, child: Object, struct: Struct) -> Object:
    claimed = _claimed_keys(child, struct)
    result: Object = {}
    for name, field in struct.fields.items():
        merged: Any
        ours, theirs = parent.get(name), child.get(name)
        if field.many:
            holders = claimed.get(field.handle or name, {})
            merged = _merge_lists(ours or [], theirs or [], name, field, holders)
        elif isinstance(field.kind, Struct):
            merged = _merge(ours or {}, theirs or {}, field.kind)
        else:
            merged = ours if theirs is None else theirs
        if merged not in (None, {}, []):
            result[name] = merged
    return result


def _claimed_keys(child: Object, struct: Struct) -> dict[str, dict[str, str]]:
    """Map each key space of the child to its keys, and each key to the list that holds it."""
    claimed: dict[str, dict[str, str]] = {}
    for name, field in struct.fields.items():
        if field.many and not field.appends:
            for item in child.get(name, []):
                claimed.setdefault(field.handle or name, {})[_key(item, field)] = name
    return claimed


def _merge_lists(
    ours: Sequence[Any], theirs: Sequence[Any], name: str, field: Field, claimed: dict[str, str]
) -> list[Any]:
    if field.appends:
        return copy.deepcopy([*ours, *theirs])
    replacements = {_key(item, field): item for item in theirs}
    merged: list[Any] = []
    for item in ours:
        key = _key(item, field)
        holder = claimed.get(key)
        if holder is None:
            merged.append(copy.deepcopy(item))
        elif holder == name and not _removes_header(name, replacements[key]):
            merged.append(_merge_items(item, replacements[key], field))
    held = {_key(item, field) for item in ours}
    merged.extend(copy.deepcopy(item) for item in theirs if _key(item, field) not in held)
    return merged


def _merge_items(ours: Any, theirs: Any, field: Field) -> Any:
    return _merge(ours, theirs, field.kind) if isinstance(field.kind, Struct) else theirs


def _removes_header(name: str, item: Any) -> bool:
    return name == "httpHeaders" and "value" not in item


def _key(item: Any, field: Field) -> str:
    return field.kind.key(item) if isinstance(field.kind, Struct) else str(item)
