"""Mappings that people write in YAML or JSON, read so that every error knows its line."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from kola.select.dates import parse_date

if TYPE_CHECKING:
    import yaml


@dataclass(frozen=True)
class Field:
    """A value and the line it stands on. `text` is a YAML scalar as written, `items` a list's members."""

    value: object
    line: int
    text: str | None = None
    items: tuple[Field, ...] = ()


Fields = dict[str, Field]
Reader = Callable[[Field], object]


def yaml_fields(text: str, *, file: Path, first_line: int = 1) -> Fields:
    """The keys of a YAML mapping; none for an empty document."""
    document = _YamlDocument(text, file, first_line)
    return document.mapping(document.root) if document.root is not None else {}


def yaml_list(text: str, *, file: Path) -> list[tuple[int, Fields]]:
    """The mappings of a YAML list, each with the line it starts on; none for an empty document."""
    document = _YamlDocument(text, file, 1)
    if document.root is None:
        return []
    if document.root.id != "sequence":
        raise ConfigError("expected a list", file=file, line=document.line(document.root))
    return [(document.line(node), document.mapping(node)) for node in document.root.value]


def json_fields(text: str, *, file: Path, first_line: int = 1) -> Fields:
    """The keys of a JSON object."""

    def line_of(offset: int) -> int:
        return first_line + text.count("\n", 0, offset)

    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in found]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"the key {key!r} is given twice", file=file, line=first_line)
        return dict(found)

    try:
        loaded = json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", file=file, line=line_of(error.pos)) from error
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
    """Each key's value as its reader understands it; keys without a value are left out.

    ConfigError, with the key's line, for a key the schema lacks or a value its reader refuses.
    """
    values: dict[str, object] = {}
    for key, field in fields.items():
        if key not in schema:
            near = difflib.get_close_matches(key, schema, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(schema))}"
            raise ConfigError(f"unknown key {key!r}", file=file, line=field.line, hint=hint)
        if field.value is None and not field.text:
            continue
        try:
            values[key] = schema[key](field)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{key}: {error}", file=file, line=field.line) from error
    return values


def string(field: Field) -> str:
    """A text; in YAML any scalar, as written."""
    if isinstance(field.value, str):
        return field.value
    if field.text is not None:
        return field.text
    raise ValueError(f"expected a text, not {field.value!r}")


def strings(field: Field) -> tuple[str, ...]:
    if not isinstance(field.value, list):
        raise TypeError(f"expected a list, not {field.value!r}")
    return tuple(string(item) for item in field.items)


def integer(field: Field) -> int:
    if not isinstance(field.value, int) or isinstance(field.value, bool) or field.value < 0:
        raise ValueError(f"expected a whole number, not {field.value!r}")
    return field.value


def integers(field: Field) -> tuple[int, ...]:
    if not isinstance(field.value, list):
        raise TypeError(f"expected a list, not {field.value!r}")
    return tuple(integer(item) for item in field.items)


def boolean(field: Field) -> bool:
    if not isinstance(field.value, bool):
        raise TypeError(f"expected true or false, not {field.value!r}")
    return field.value


def day(field: Field) -> date:
    return parse_date(field.text if field.text is not None else field.value)


class _YamlDocument:
    """A parsed document whose values are built on demand, next to where they stand."""

    def __init__(self, text: str, file: Path, first_line: int) -> None:
        import yaml  # not needed to list tests that have no metadata

        self._file = file
        self._first_line = first_line
        loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader]
        loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
        try:
            self._loader = loader(text)
            self.root: Any = self._loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = first_line + (mark.line if mark else 0)
            raise ConfigError(f"not YAML: {error.problem or error}", file=file, line=line) from error
        except yaml.YAMLError as error:
            raise ConfigError(f"not YAML: {error}", file=file, line=first_line) from error

    def line(self, node: Any) -> int:
        return self._first_line + int(node.start_mark.line)

    def mapping(self, node: Any) -> Fields:
        if node.id != "mapping":
            raise ConfigError("expected `key: value` pairs", file=self._file, line=self.line(node))
        fields: Fields = {}
        for key, value in node.value:
            name = str(key.value)
            if name in fields:
                raise ConfigError(f"the key {name!r} is given twice", file=self._file, line=self.line(key))
            fields[name] = self._field(value, self.line(key))
        return fields

    def _field(self, node: Any, line: int) -> Field:
        try:
            value = self._loader.construct_object(node, deep=True)
        except ValueError:
            value = node.value  # 2026-02-31 looks like a date and is none: its reader will say so
        if node.id == "sequence":
            items = tuple(self._field(item, self.line(item)) for item in node.value)
            return Field(value, line, items=items)
        return Field(value, line, text=node.value if node.id == "scalar" else None)
