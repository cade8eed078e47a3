"""A JSON parser for files of users and tools: every error is one sentence with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.util.userfile import read_user_text

Pairs = Callable[[list[tuple[str, Any]]], dict[str, Any]]


def parse_json(
    text: str,
    *,
    file: Path | str | None = None,
    first_line: int = 1,
    pairs: Pairs | None = None,
    comment: bool = False,
) -> Any:
    """Parse one JSON value (RFC 8259; no NaN or Infinity). Raises ConfigError with file and line.

    `pairs` builds each object from its keys and values, as `object_pairs_hook` of the json module does.
    With `comment`, a `# …` may follow the value.
    """
    try:
        return _decode(text, pairs, comment=comment)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise ConfigError(f"not JSON: {error.msg} (column {error.colno})", file=file, line=line) from None
    except RecursionError:
        raise ConfigError("not JSON: nested too deeply", file=file) from None
    except ConfigError as error:
        raise ConfigError(error.message, file=file, line=error.line, hint=error.hint) from None
    except ValueError:  # more digits than Python converts
        raise ConfigError("not JSON: a number is too long", file=file) from None


def read_json_object(file: Path) -> dict[str, Any]:
    """Read a JSON object from a file. Raises ConfigError with the line of the error."""
    content = parse_json(read_user_text(file), file=file)
    if not isinstance(content, dict):
        raise ConfigError("not a JSON object", file=file)
    return content


def _decode(text: str, pairs: Pairs | None, *, comment: bool) -> Any:
    decoder = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=pairs)
    value, end = decoder.raw_decode(text, _start(text, 0))
    end = _start(text, end)
    if end < len(text) and not (comment and text[end] == "#"):
        raise json.JSONDecodeError("more follows the value", text, end)
    return value


def _start(text: str, at: int) -> int:
    """Return the index of the first non-blank character from `at` on."""
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _refuse(name: str) -> Any:
    raise ConfigError(f"not JSON: {name} is not a JSON value")
