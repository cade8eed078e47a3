"""Type checks of a JSON tree against the schema. Keys that Ignition ignores are dropped."""

from __future__ import annotations

import re
from typing import Any

from harness.errors import ConfigError
from harness.ignition.findings import Finding, Path, dotted, warning
from harness.ignition.schema import CONFIG, Field, Object, Scalar, Struct
from harness.ignition.version import SpecVersion
from harness.util.quote import quote

_SURROGATE = re.compile("[\ud800-\udfff]")


def shape(document: Any, version: SpecVersion) -> tuple[Object, tuple[Finding, ...]]:
    """Return the tree with known keys only, and a warning for each key the version does not have.

    Raises ConfigError with the JSON path of a value of the wrong type. As in Ignition, null equals an absent
    key, and an empty object or list equals none.
    """
    findings: list[Finding] = []
    tree = _object(document, CONFIG, version, (), findings)
    return tree, tuple(findings)


def _object(value: Any, struct: Struct, version: SpecVersion, path: Path, findings: list[Finding]) -> Object:
    if not isinstance(value, dict):
        raise _mismatch(path, "an object", value)
    for key in value:
        known = struct.fields.get(key)
        if known is None:
            findings.append(warning((*path, key), f"unused key {key}"))
        elif known.since > version.minor:
            since = SpecVersion(known.since)
            message = f"unused key {key}: it needs spec {since}, this is {version}"
            findings.append(warning((*path, key), message))
    tree: Object = {}
    for key, field in struct.fields.items():
        if field.since > version.minor or value.get(key) is None:
            continue
        found = _value(value[key], field, version, (*path, key), findings)
        if found not in ({}, []):
            tree[key] = found
    return tree


def _value(value: Any, field: Field, version: SpecVersion, path: Path, findings: list[Finding]) -> Any:
    if not field.many:
        return _single(value, field.kind, version, path, findings)
    if not isinstance(value, list):
        raise _mismatch(path, "a list", value)
    zero: Any = {} if isinstance(field.kind, Struct) else ""
    return [
        _single(zero if item is None else item, field.kind, version, (*path, index), findings)
        for index, item in enumerate(value)
    ]


def _single(
    value: Any, kind: Scalar | Struct, version: SpecVersion, path: Path, findings: list[Finding]
) -> Any:
    match kind:
        case Struct():
            return _object(value, kind, version, path, findings)
        case Scalar.STRING if not isinstance(value, str):
            raise _mismatch(path, "a string", value)
        case Scalar.STRING if _SURROGATE.search(value):
            raise ConfigError(f"{dotted(path)}: half a character of UTF-16 (\\ud800 to \\udfff)")
        case Scalar.BOOLEAN if not isinstance(value, bool):
            raise _mismatch(path, "true or false", value)
        case Scalar.INTEGER if not isinstance(value, int) or isinstance(value, bool):
            raise _mismatch(path, "a whole number", value)
        case Scalar.INTEGER if not -(2**63) <= value < 2**63:
            raise ConfigError(f"{dotted(path)}: {quote(value)} is too large a number")
    return value


def _mismatch(path: Path, wanted: str, value: Any) -> ConfigError:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    found = names.get(type(value), f"the number {quote(value)}")
    return ConfigError(f"{dotted(path)}: must be {wanted}, not {found}")
