"""Tests that are rows of a table: one function runs once for each row, under the row's name.

`@pytest.mark.kola(table="scenarios.toml")` names a TOML file beside the module. Its `[[test]]` tables have
the keywords of the marker, `machine` for those of `pytest.mark.machine`, and any further keys that the
function reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from kola.cases.marker import KEYWORDS, info_from_marker
from kola.cases.model import TestInfo

TABLE = "table"
_ROWS = "test"
_MACHINE = "machine"


@dataclass(frozen=True)
class Row:
    """A row of the table: the test's facts, its machine's keywords, and the remaining values for the
    function.
    """

    info: TestInfo
    machine: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def read_table(
    keywords: Mapping[str, Any], *, suite: str, module: str, function: str, path: Path, line: int
) -> list[Row]:
    """Return the rows of the table that a marker's keywords name.

    The keywords are the defaults of every row.

    `path` and `line` are the function's. Raises ConfigError with the table's file and line.
    """
    shared = {key: value for key, value in keywords.items() if key != TABLE}
    file = path.with_name(str(keywords[TABLE]))
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not TOML: {error}", file=file) from error
    rows = content.get(_ROWS)
    if not isinstance(rows, list) or set(content) != {_ROWS}:
        raise ConfigError(f"a table of tests has [[{_ROWS}]] and nothing else", file=file)
    starts = [number for number, row in enumerate(text.splitlines(), 1) if _begins(row)]
    found = []
    for number, row in enumerate(rows):
        at = starts[number] if number < len(starts) else None
        if not isinstance(row.get("name"), str):
            raise ConfigError("a test of a table needs a name", file=file, line=at)
        own = {key: value for key, value in row.items() if key in KEYWORDS}
        try:
            info = info_from_marker(
                {**shared, **own}, suite=suite, module=module, function=function, path=path, line=line
            )
        except ConfigError as error:
            raise ConfigError(error.message, file=file, line=at, hint=error.hint) from None
        values = {key: value for key, value in row.items() if key not in (*KEYWORDS, _MACHINE)}
        found.append(Row(info, row.get(_MACHINE, {}), values))
    return found


def _begins(line: str) -> bool:
    return re.fullmatch(rf"\s*\[\[\s*{_ROWS}\s*\]\]\s*(?:#.*)?", line) is not None
