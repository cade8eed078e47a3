"""`pytest.mark.kola(...)`: what its keywords mean. `kola list` and the pytest plugin both ask here."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.features import FEATURES
from kola.model import Selector, TestInfo
from kola.select.dates import grace_end, parse_date

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def info_from_marker(
    kwargs: Mapping[str, Any],
    *,
    suite: str,
    module: str,
    function: str,
    path: Path,
    line: int,
    docstring: str | None = None,
) -> TestInfo:
    """The test that a marker's keywords (merged, the function's over the module's) describe.

    `suite` is the dotted folder below `testsuites`, `module` the file's name without `.py`. Raises
    ConfigError with file and line for an unknown keyword or a wrong value.
    """
    fields: dict[str, Any] = {}
    for key, value in kwargs.items():
        if key not in _KEYWORDS:
            raise _unknown(key, path, line)
        field, read = _KEYWORDS[key]
        try:
            fields[field] = read(value)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"kola marker: {key}: {error}", file=path, line=line) from error
    if isinstance(fields.get("exclusive"), tuple):
        fields["tokens"] = fields.pop("exclusive")
    fields.setdefault("name", default_name(suite, module, function))
    fields.setdefault("description", (docstring or "").strip().partition("\n")[0].strip())
    return TestInfo(**fields, source=path, line=line)


def default_name(suite: str, module: str, function: str) -> str:
    """`defaults`, `test_sshd`, `test_login_is_refused` make `defaults.sshd.login-is-refused`."""
    parts = (suite, module.removeprefix("test_"), function.removeprefix("test_"))
    return ".".join(part for part in parts if part).replace("_", "-")


def parse_minutes(value: object) -> float:
    """`"15m"`, `"90s"`, `"1h30m"` or a number of minutes, in minutes; ValueError otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        minutes = float(value)
    elif isinstance(value, str) and value and (match := _DURATION.fullmatch(value.strip())):
        hours, mins, seconds = (float(group or 0) for group in match.groups())
        minutes = hours * 60 + mins + seconds / 60
    else:
        raise ValueError(f'expected a duration such as "15m", "90s" or a number of minutes, not {value!r}')
    if minutes <= 0:
        raise ValueError(f"expected a duration above zero, not {value!r}")
    return minutes


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a text, not {value!r}")
    return value.strip()


def _name(value: object) -> str:
    name = _text(value)
    if re.search(r"[\s/*?\[\]\\]", name):
        raise ValueError(f"a test name has no blanks, slashes or pattern characters, unlike {name!r}")
    return name


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected True or False, not {value!r}")
    return value


def _exclusive(value: object) -> bool | tuple[str, ...]:
    """True or False, or the names of what the test must have to itself."""
    return value if isinstance(value, bool) else _words(value)


def _ports(value: object) -> tuple[int, ...]:
    ports = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(port, int) and 0 < port < 65536 for port in ports):
        raise ValueError(f"expected ports such as [8080], not {value!r}")
    return tuple(ports)


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(word, str) for word in value):
        return tuple(sorted(value)) if isinstance(value, set | frozenset) else tuple(value)
    raise ValueError(f"expected a list of texts, not {value!r}")


def _selector(value: object) -> Selector:
    return Selector.parse(" ".join(_words(value)))


def _features(value: object) -> tuple[str, ...]:
    words = _words(value)
    unknown = next((word for word in words if word not in FEATURES), None)
    if unknown is not None:
        raise ValueError(f"unknown feature {unknown!r}; known: {', '.join(sorted(FEATURES))}")
    return words


_KEYWORDS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "name": ("name", _name),
    "description": ("description", _text),
    "tags": ("tags", lambda value: frozenset(_words(value))),
    "required_tag": ("required_tag", _text),
    "platforms": ("platforms", _selector),
    "architectures": ("architectures", _selector),
    "distros": ("distros", _selector),
    "firmware": ("firmware", _selector),
    "needs": ("needs", _features),
    "exclusive": ("exclusive", _exclusive),
    "host_ports": ("host_ports", _ports),
    "conflicts": ("conflicts", _words),
    "timeout": ("minutes", parse_minutes),
    "creation_date": ("grace_until", lambda value: grace_end(parse_date(value)).isoformat()),
    "guide": ("guide", lambda value: (value,) if isinstance(value, str) else _words(value)),
}


def _unknown(key: str, path: Path, line: int) -> ConfigError:
    near = difflib.get_close_matches(key, _KEYWORDS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(_KEYWORDS))}"
    return ConfigError(f"kola marker: unknown keyword {key!r}", file=path, line=line, hint=hint)
