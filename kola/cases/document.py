"""Mappings that people write in YAML or JSON, read so that every error has its line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.util.jsontext import parse_json
from harness.util.quote import quote
from harness.util.suggest import did_you_mean
from kola.cases.dates import parse_date


@dataclass(frozen=True)
class Field:
    """A value and its line. `text` is a YAML scalar as written, `items` a list's members."""

    value: object
    line: int
    text: str | None = None
    items: tuple[Field, ...] = ()


Fields = dict[str, Field]
Reader = Callable[[Field], object]


def yaml_fields(text: str, *, file: Path, first_line: int = 1) -> Fields:
    """Return the keys of a YAML mapping; none for an empty document."""
    document = _YamlDocument(text, file, first_line)
    return document.mapping(document.root) if document.root is not None else {}


def yaml_list(text: str, *, file: Path) -> list[tuple[int, Fields]]:
    """Return the mappings of a YAML list, each with its first line; none for an empty document."""
    document = _YamlDocument(text, file, 1)
    if document.root is None:
        return []
    if document.root.id != "sequence":
        raise ConfigError("expected a list", file=file, line=document.line(document.root))
    return [(document.line(node), document.mapping(node)) for node in document.root.value]


def json_fields(text: str, *, file: Path, first_line: int = 1, comment: bool = False) -> Fields:
    """Return the keys of a JSON object; with `comment`, a `# …` may follow it."""

    def line_of(offset: int) -> int:
        return first_line + text.count("\n", 0, offset)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = Counter(key for key, _ in found)
        for key, count in keys.items():
            if count > 1:
                raise ConfigError(f"the key {quote(key)} is given twice", file=file, line=first_line)
        return dict(found)

    loaded = parse_json(text, file=file, first_line=first_line, pairs=pairs, comment=comment)
    if not isinstance(loaded, dict):
        raise ConfigError("expected a JSON object", file=file, line=first_line)
    fields: Fields = {}
    for key, value in loaded.items():
        at = re.search(re.escape(json.dumps(key)) + r"\s*:", text)
        line = line_of(at.start()) if at else first_line
        items = tuple(Field(item, line) for item in value) if isinstance(value, list) else ()
        fields[key] = Field(value, line, items=items)
    return fields


def validate(fields: Fields, schema: Mapping[str, Reader], *, file: Path) -> dict[str, object]:
    """Return each key's value, converted by its reader; keys without a value are omitted.

    Raises ConfigError, with the key's line, for a key the schema lacks or a value its reader refuses.
    """
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key not in schema:
            hint = did_you_mean(key, schema)
            raise ConfigError(f"unknown key {quote(key)}", file=file, line=field.line, hint=hint)
        if field.value is None:
            continue
        try:
            values[key] = schema[key](field)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{key}: {error}", file=file, line=field.line) from error
    return values


def string(field: Field) -> str:
    """Read a text; in YAML any scalar, as written."""
    if isinstance(field.value, str):
        return field.value
    if field.text is not None:
        return field.text
    raise ValueError(f"expected a text, not {quote(field.value)}")


def strings(field: Field) -> tuple[str, ...]:
    if not isinstance(field.value, list):
        raise TypeError(f"expected a list, not {quote(field.value)}")
    return tuple(string(item) for item in field.items)


def integer(field: Field) -> int:
    if not isinstance(field.value, int) or isinstance(field.value, bool) or field.value < 0:
        raise ValueError(f"expected a whole number, not {quote(field.value)}")
    return field.value


def integers(field: Field) -> tuple[int, ...]:
    if not isinstance(field.value, list):
        raise TypeError(f"expected a list, not {quote(field.value)}")
    return tuple(integer(item) for item in field.items)


def boolean(field: Field) -> bool:
    if not isinstance(field.value, bool):
        raise TypeError(f"expected true or false, not {quote(field.value)}")
    return field.value


def day(field: Field) -> date:
    return parse_date(field.text if field.text is not None else field.value)


class _YamlDocument:
    """A parsed document whose mappings are read key by key, each with its line."""

    def __init__(self, text: str, file: Path, first_line: int) -> None:
        from harness.util import yamltext  # takes 20 ms, which `kola list` saves when no test has metadata

        self._yaml = yamltext
        self._file = file
        self._first_line = first_line
        self.root: Any = yamltext.compose_yaml(text, file=file, first_line=first_line)

    def line(self, node: Any) -> int:
        return self._first_line + int(node.start_mark.line)

    def mapping(self, node: Any) -> Fields:
        """Return the keys of a mapping. A key merged by `<<` counts unless the mapping has it itself."""
        if node.id != "mapping":
            raise ConfigError("expected `key: value` pairs", file=self._file, line=self.line(node))
        fields: Fields = {}
        merged: list[Any] = []
        for key, value in node.value:
            if key.id != "scalar":
                raise ConfigError("a key must be plain text", file=self._file, line=self.line(key))
            if self._yaml.is_merge(key):
                merged += value.value if value.id == "sequence" else [value]
                continue
            if key.value in fields:
                message = f"the key {quote(key.value)} is given twice"
                raise ConfigError(message, file=self._file, line=self.line(key))
            fields[key.value] = self._field(value, self.line(key))
        for parent in merged:
            if parent.id != "mapping":
                raise ConfigError("only a mapping can be merged", file=self._file, line=self.line(parent))
            fields = {**self.mapping(parent), **fields}
        return fields

    def _field(self, node: Any, line: int) -> Field:
        if node.id == "sequence":
            items = tuple(self._field(item, self.line(item)) for item in node.value)
            return Field([item.value for item in items], line, items=items)
        if node.id == "mapping":
            return Field({key: field.value for key, field in self.mapping(node).items()}, line)
        return Field(self._yaml.scalar_value(node, file=self._file, line=line), line, text=node.value)
