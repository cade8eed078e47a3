"""The meaning of the keywords of `pytest.mark.kola(...)`, for `kola list` and the pytest plugin."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.features import FEATURES
from harness.util.quote import quote
from harness.util.suggest import did_you_mean
from kola.cases.dates import grace_end, parse_date
from kola.cases.model import ARCHITECTURES, PLATFORMS, Selector, TestInfo

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
    """Return the test that a marker's keywords (merged, the function's over the module's) describe.

    `suite` is the dotted folder below `testsuites`, `module` the file's name without `.py`. Raises
    ConfigError with file and line for an unknown keyword or a wrong value.
    """
    fields: dict[str, Any] = {}
    for key, value in kwargs.items():
        if key not in KEYWORDS:
            raise _unknown(key, path, line)
        field, read = KEYWORDS[key]
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
    """Return the default name: `defaults`, `test_sshd`, `test_login_is_refused` give
    `defaults.sshd.login-is-refused`.
    """
    parts = (suite, module.removeprefix("test_"), function.removeprefix("test_"))
    return ".".join(part for part in parts if part).replace("_", "-")


def parse_minutes(value: object) -> float:
    """Parse `"15m"`, `"90s"`, `"1h30m"` or a number of minutes, to minutes. Raises ValueError otherwise."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        minutes = float(value)
    elif isinstance(value, str) and value and (match := _DURATION.fullmatch(value.strip())):
        hours, mins, seconds = (float(group or 0) for group in match.groups())
        minutes = hours * 60 + mins + seconds / 60
    else:
        raise ValueError(
            f'expected a duration such as "15m", "90s" or a number of minutes, not {quote(value)}'
        )
    if minutes <= 0:
        raise ValueError(f"expected a duration above zero, not {quote(value)}")
    return minutes


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a text, not {quote(value)}")
    return value.strip()


def _name(value: object) -> str:
    name = _text(value)
    if re.search(r"[\s/*?\[\]\\]", name):
        raise ValueError(f"a test name has no blanks, slashes or pattern characters, unlike {quote(name)}")
    return name


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected True or False, not {quote(value)}")
    return value


def _exclusive(value: object) -> bool | tuple[str, ...]:
    """Read True, False, or the names of the resources that the test must have to itself."""
    return value if isinstance(value, bool) else _words(value)


def _ports(value: object) -> tuple[int, ...]:
    ports = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(port, int) and 0 < port < 65536 for port in ports):
        raise ValueError(f"expected ports such as [8080], not {quote(value)}")
    return tuple(ports)


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(word, str) for word in value):
        return tuple(sorted(value)) if isinstance(value, set | frozenset) else tuple(value)
    raise ValueError(f"expected a list of texts, not {quote(value)}")


def _selector(value: object, known: Collection[str] = ()) -> Selector:
    return Selector.parse(" ".join(_words(value)), known=known)


def _features(value: object) -> tuple[str, ...]:
    words = _words(value)
    unknown = next((word for word in words if word not in FEATURES), None)
    if unknown is not None:
        raise ValueError(f"unknown feature {quote(unknown)}; known: {', '.join(sorted(FEATURES))}")
    return words


KEYWORDS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "name": ("name", _name),
    "description": ("description", _text),
    "tags": ("tags", lambda value: frozenset(_words(value))),
    "required_tag": ("required_tag", _text),
    "platforms": ("platforms", lambda value: _selector(value, PLATFORMS)),
    "architectures": ("architectures", lambda value: _selector(value, ARCHITECTURES)),
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
    hint = did_you_mean(key, KEYWORDS)
    return ConfigError(f"kola marker: unknown keyword {quote(key)}", file=path, line=line, hint=hint)
