"""The hosts of a pool: libvirt daemons, named on the command line or in a small TOML file."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ConfigError
from harness.util.suggest import did_you_mean
from harness.util.userfile import read_user_text

_TABLE = "hosts"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ERROR_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)$")
_EXAMPLE = 'begin each host with [[hosts]] and give it a uri = "qemu+ssh://root@HOST/system"'


@dataclass(frozen=True)
class HostEntry:
    """A host of machines. Limits are None where what the host itself reports is the only one.

    `uri` names its libvirt daemon; empty for the user's default. `memory` is the most that our machines may
    have together, in MiB; `machines` is the most at once. `ssh` is the host as a destination of ssh(1),
    through which guests are reached; by default the URI names it. `directory` is for images on that host.
    """

    uri: str = ""
    name: str = ""
    memory: int | None = None
    machines: int | None = None
    tags: tuple[str, ...] = ()
    ssh: str = ""
    directory: str = ""

    @property
    def label(self) -> str:
        """The name, else that in the URI, else the URI."""
        try:
            host = urlsplit(self.uri).hostname
        except ValueError:  # which is reported when the platform is chosen
            host = None
        return self.name or host or self.uri


def from_uris(uris: Sequence[str]) -> tuple[HostEntry, ...]:
    """Return the hosts that URIs name."""
    return _named([HostEntry(uri=uri) for uri in dict.fromkeys(uris)])


def read_hosts(path: Path) -> tuple[HostEntry, ...]:
    """Read a file of hosts (docs/libvirt.md). Raises ConfigError with the file and line of the error."""
    text = read_user_text(path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _ERROR_LINE.search(str(error))
        line = int(found[1]) if found else None
        message = _ERROR_LINE.sub("", str(error))
        raise ConfigError(f"not TOML: {message}", file=path, line=line, hint=_EXAMPLE) from None
    tables = content.pop(_TABLE, None)
    if content:
        key = next(iter(content))
        line, hint = _line_of(text, None, key), did_you_mean(key, [_TABLE])
        raise ConfigError(f"unknown key {key!r}", file=path, line=line, hint=hint)
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        raise ConfigError("names no host", file=path, hint=_EXAMPLE)
    return _named([_entry(one, number, text, path) for number, one in enumerate(tables)], path)


def with_tags(hosts: Sequence[HostEntry], tags: Sequence[str]) -> tuple[HostEntry, ...]:
    """Return the hosts that have all these tags. Raises ConfigError when there is none."""
    chosen = tuple(host for host in hosts if set(tags) <= set(host.tags))
    if not chosen:
        known = sorted({tag for host in hosts for tag in host.tags})
        hint = f"tags in the file: {', '.join(known)}" if known else "no host of the file has tags"
        raise ConfigError(f"no host has the tag {' and '.join(tags)}", hint=hint)
    return chosen


def _entry(table: dict[str, Any], number: int, text: str, path: Path) -> HostEntry:
    def wrong(key: str, message: str, hint: str) -> ConfigError:
        return ConfigError(message, file=path, line=_line_of(text, number, key), hint=hint)

    for key, value in table.items():
        if key not in _KEYS:
            raise wrong(key, f"unknown key {key!r}", did_you_mean(key, _KEYS))
        what, fits = _KEYS[key]
        if not fits(value):
            raise wrong(key, f"{key} is {what}, unlike {value!r:.60}", f"write {key} = {_SAMPLES[key]}")
    if "uri" not in table:
        raise wrong("", f"host {number + 1} has no uri", _EXAMPLE)
    return HostEntry(**table | {"tags": tuple(table.get("tags", ()))})


def _named(entries: Sequence[HostEntry], path: Path | None = None) -> tuple[HostEntry, ...]:
    """Give every host a name of its own. Raises ConfigError for two of the same name, or URI."""
    names = [entry.name for entry in entries if entry.name]
    for what, values in (("name", names), ("uri", [entry.uri for entry in entries])):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise ConfigError(f"two hosts have the {what} {twice[0]!r}", file=path, hint="each has its own")
    counts = Counter(entry.label for entry in entries)
    return tuple(
        replace(entry, name=entry.label if counts[entry.label] == 1 else entry.uri) for entry in entries
    )


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_KEYS = {
    "uri": ("a text", _text),
    "name": (
        "letters, digits and _ . -",
        lambda value: isinstance(value, str) and _NAME.fullmatch(value) is not None,
    ),
    "memory": ("a number of MiB", _whole),
    "machines": ("a number", _whole),
    "tags": ("a list of texts", lambda value: isinstance(value, list) and all(_text(one) for one in value)),
    "ssh": ("a text", _text),
    "directory": ("a path from the root on", lambda value: _text(value) and value.startswith("/")),
}
_SAMPLES = {
    "uri": '"qemu+ssh://root@HOST/system"',
    "name": '"rack-1"',
    "memory": "16384",
    "machines": "8",
    "tags": '["kvm"]',
    "ssh": '"root@HOST"',
    "directory": '"/srv/kola"',
}


def _line_of(text: str, table: int | None, key: str) -> int | None:
    """Return the line of a key in the table of this number, or of the table; None when it is not found."""
    pattern = re.compile(rf"\[*\"?{re.escape(key)}\"?\s*[=.\]]")
    seen = -1
    start: int | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith(f"[[{_TABLE}]]"):
            seen += 1
            start = number if seen == table else start
        elif table in (None, seen) and key and pattern.match(stripped):
            return number
    return start
