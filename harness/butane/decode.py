"""YAML decoded to typed values, with the line of each; unknown keys are reported.

Scalars are read as go-yaml reads them for Butane: a text may look like a number, `0644` is octal.
"""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path as FilePath
from typing import Any

import yaml

from harness.butane.keys import GRUB, Key, Shape
from harness.butane.report import Report
from harness.butane.spec import Spec
from harness.errors import ConfigError
from harness.ignition.findings import Path
from harness.ignition.schema import Object, Scalar
from harness.util.quote import quote
from harness.util.yamltext import compose_yaml, is_merge, is_plain

_BINARY = "tag:yaml.org,2002:binary"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE", "y", "Y", "yes", "on"})
_FALSE = frozenset({"false", "False", "FALSE", "n", "N", "no", "off"})
_INTEGERS = (
    (re.compile(r"[-+]?0b[01]+"), 2),
    (re.compile(r"[-+]?0x[0-9A-Fa-f]+"), 16),
    (re.compile(r"[-+]?0o?[0-7]+"), 8),
    (re.compile(r"[-+]?(0|[1-9][0-9]*)"), 10),
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read_document(text: str, source: FilePath | None) -> yaml.MappingNode:
    """Return the first document's root; as in Butane, others are not read.

    Raises ConfigError with the line of a YAML error.
    """
    root = compose_yaml(text, file=source, ignore_further=True)
    if root is None:
        raise ConfigError("the Butane config is empty", file=source)
    if not isinstance(root, yaml.MappingNode):
        line = root.start_mark.line + 1
        raise ConfigError("a Butane config is a mapping with variant and version", file=source, line=line)
    return root


def scalar_of(root: yaml.MappingNode, key: str) -> tuple[str, int | None]:
    """Return the text of a top-level scalar and its line; "" when there is none."""
    for name, value in root.value:
        if isinstance(name, yaml.ScalarNode) and name.value == key:
            line = value.start_mark.line + 1
            plain_null = isinstance(value, yaml.ScalarNode) and _is_null(value)
            return (value.value if isinstance(value, yaml.ScalarNode) and not plain_null else ""), line
    return "", None


class Decoder:
    """The decoder of one document for one spec. Problems go to the report."""

    def __init__(self, spec: Spec, report: Report) -> None:
        self._spec = spec
        self._report = report

    def mapping(self, node: yaml.Node, shape: Shape, path: Path) -> Object:
        if isinstance(node, yaml.ScalarNode) and _is_null(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self._report.error(path, f"must be a mapping, not {_kind(node)}")
            return {}
        found: Object = {}
        for name, (key_node, value) in self._entries(node, path).items():
            here = (*path, name)
            self._report.lines[here] = _line(value if isinstance(value, yaml.ScalarNode) else key_node)
            key = shape.keys.get(name)
            if key is None or not self._accepts(key, name, here):
                if key is None:
                    self._report.warning(here, f"unused key {name}")
                continue
            decoded = self._value(value, key, here)
            if decoded is not None:
                found[name] = decoded
        return found

    def _accepts(self, key: Key, name: str, path: Path) -> bool:
        if key.available(self._spec):
            return True
        first = key.first_version(self._spec.variant)
        if first is None:
            self._report.warning(path, f"unused key {name}: {self._spec.variant} does not have it")
            return False
        if key is GRUB and self._spec.variant == "nestos":
            self._report.tolerate(
                path, f"{name} belongs to {first}; accepted in {self._spec} as NestOS uses it"
            )
            return True
        self._report.error(path, f"the key {name} needs {first}, this is {self._spec}")
        return False

    def _entries(self, node: yaml.MappingNode, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: list[yaml.Node] = []
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report.lines[path] = _line(key_node)
                self._report.error(path, "a key must be plain text")
            elif is_merge(key_node):
                merged.extend(value.value if isinstance(value, yaml.SequenceNode) else [value])
            elif key_node.value in entries:
                here = (*path, key_node.value)
                first = _line(entries[key_node.value][0])
                self._report.lines[here] = _line(key_node)
                self._report.error(here, f"the key was given before, in line {first}")
            else:
                entries[key_node.value] = (key_node, value)
        for parent in merged:
            if not isinstance(parent, yaml.MappingNode):
                self._report.error(path, "only a mapping can be merged with <<")
                continue
            entries = {**self._entries(parent, path), **entries}
        return entries

    def _value(self, node: yaml.Node, key: Key, path: Path) -> Any:
        if not key.many:
            return self._single(node, key.kind, path)
        if isinstance(node, yaml.ScalarNode) and _is_null(node):
            return None
        if not isinstance(node, yaml.SequenceNode):
            self._report.error(path, f"must be a list, not {_kind(node)}")
            return None
        items: list[Any] = []
        for item in node.value:
            here = (*path, len(items))
            self._report.lines[here] = _line(item)
            decoded = self._single(item, key.kind, here)
            if decoded is not None:
                items.append(decoded)
        return items

    def _single(self, node: yaml.Node, kind: Scalar | Shape, path: Path) -> Any:
        if isinstance(kind, Shape):
            return self.mapping(node, kind, path)
        wanted = {Scalar.STRING: "text", Scalar.INTEGER: "a whole number", Scalar.BOOLEAN: "true or false"}[
            kind
        ]
        if not isinstance(node, yaml.ScalarNode):
            self._report.error(path, f"must be {wanted}, not {_kind(node)}")
            return None
        if _is_null(node):
            return None
        if kind is Scalar.STRING and node.tag == _BINARY:
            return self._binary(node.value, path)
        decoded = _scalar(node, kind)
        if decoded is None:
            self._report.error(path, f"must be {wanted}, not {quote(node.value)}")
        return decoded

    def _binary(self, text: str, path: Path) -> str | None:
        """Decode YAML's `!!binary`. Inline contents need not be UTF-8."""
        try:
            content = base64.b64decode("".join(text.split()), validate=True)
            return content.decode("utf-8", "surrogateescape" if path[-1] == "inline" else "strict")
        except ValueError:
            self._report.error(path, f"must be base64 of text, not {quote(text)}")
            return None


def _scalar(node: yaml.ScalarNode, kind: Scalar) -> Any:
    text = node.value
    if kind is Scalar.STRING:
        return text
    if kind is Scalar.BOOLEAN:
        return text in _TRUE if text in _TRUE | _FALSE else None
    return _integer(text) if is_plain(node) else None


def _integer(text: str) -> int | None:
    digits = text.replace("_", "") if text[:1].isdigit() or text[:1] in "+-" else text
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(digits):
            value = int(digits.replace("o", "", 1) if base == 8 else digits, base)
            return value if -(2**63) <= value < 2**63 else None
    if _FLOAT.fullmatch(digits):
        value_ = float(digits)
        return int(value_) if math.isfinite(value_) and abs(value_) < 2**63 else None
    return None


def _is_null(node: yaml.ScalarNode) -> bool:
    return is_plain(node) and node.value in _NULLS


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    return "a list" if isinstance(node, yaml.SequenceNode) else quote(node.value)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
