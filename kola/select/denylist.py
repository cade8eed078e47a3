"""`kola-denylist.yaml`: tests known to fail, removed or reduced to warnings, each with its tracker."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.util.userfile import read_user_text
from kola.cases.document import boolean, day, string, strings, validate, yaml_list
from kola.cases.model import TestInfo
from kola.select import glob
from kola.select.selection import Selection

SKIP_CONSOLE_WARNINGS = "skip-console-warnings"
"""A pattern that names no test: it reduces signs on consoles to warnings."""

_SCHEMA = {
    "pattern": string,
    "tracker": string,
    "streams": strings,
    "arches": strings,
    "platforms": strings,
    "osversion": strings,
    "snooze": day,
    "warn": boolean,
}


@dataclass(frozen=True)
class Entry:
    """An entry of the file, and its first line."""

    pattern: str
    file: Path
    line: int
    tracker: str = ""
    streams: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    osversion: tuple[str, ...] = ()
    snooze: date | None = None
    warn: bool = False

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}: {self.pattern}"

    def applies(self, options: Selection) -> bool:
        """Return True when the entry applies to this build. An unknown stream or version matches none."""
        scopes = (
            (self.arches, options.architecture),
            (self.platforms, options.platform),
            (self.streams, options.stream),
            (self.osversion, options.osversion),
        )
        return all(not listed or ours in listed for listed, ours in scopes)


@dataclass(frozen=True)
class Rulings:
    """The effect of the denylist and `--denylist-test` on the registered tests."""

    denied: Mapping[str, str]
    warned: frozenset[str]
    notices: tuple[str, ...]
    console_warnings_only: bool


def read_denylist(file: Path) -> list[Entry]:
    """Return the entries of the file; none if there is no such file.

    Raises ConfigError with the line of an error, and for a dangling symbolic link: the tests it should deny
    would run.
    """
    if not os.path.lexists(file):
        return []
    if not file.exists() and file.is_symlink():
        hint = "restore the file it names (a git submodule may be missing), or remove the link"
        raise ConfigError(f"a symbolic link to nowhere ({file.readlink()})", file=file, hint=hint)
    return [
        _entry(line, validate(fields, _SCHEMA, file=file), file)
        for line, fields in yaml_list(read_user_text(file), file=file)
    ]


def judge(tests: Collection[TestInfo], options: Selection) -> Rulings:
    """Apply the denylist to each registered test, with notices for entries that have no effect, or no
    longer.
    """
    names = [name for test in tests for name in test.names]
    entries = read_denylist(options.denylist) if options.denylist else []
    denied: dict[str, str] = {}
    warned: set[str] = set()
    notices = _stale(entries, names) + _unscoped(entries, options)
    console_warnings_only = False
    for pattern in options.denylist_tests:
        matching = _matching(pattern, tests)
        denied.update((name, f"--denylist-test {pattern}") for name in matching)
        if not matching:
            notices.append(f"--denylist-test {pattern} matches no test")
    for entry in entries:
        if not entry.applies(options):
            continue
        if entry.pattern == SKIP_CONSOLE_WARNINGS:
            console_warnings_only = True
            continue
        matching = _matching(entry.pattern, tests)
        if entry.snooze and options.today >= entry.snooze:
            then = "failures are warnings" if entry.warn else "its tests run again"
            notices.append(f"{entry.where}: the snooze expired on {entry.snooze}, {then}")
        if entry.snooze and options.today < entry.snooze:
            denied.update((name, _reason(entry, f"snoozed until {entry.snooze}")) for name in matching)
        elif entry.warn:
            warned.update(matching)
        elif not entry.snooze:
            denied.update((name, _reason(entry, "denied")) for name in matching)
    return Rulings(denied, frozenset(warned), tuple(notices), console_warnings_only)


def _matching(pattern: str, tests: Collection[TestInfo]) -> list[str]:
    """Return the tests that the pattern matches, by their own name or by that of their family."""
    return [test.name for test in tests if any(glob.matches(pattern, name) for name in test.names)]


def _entry(line: int, values: dict[str, Any], file: Path) -> Entry:
    if not values.get("pattern"):
        raise ConfigError("an entry without a pattern", file=file, line=line, hint="add `pattern: NAME`")
    try:
        glob.compiled(values["pattern"])
    except ConfigError as error:
        raise ConfigError(error.message, file=file, line=line, hint=error.hint) from error
    return Entry(file=file, line=line, **values)


def _reason(entry: Entry, what: str) -> str:
    tracker = f", see {entry.tracker}" if entry.tracker else ""
    return f"{what} by {entry.where}{tracker}"


def _stale(entries: list[Entry], names: list[str]) -> list[str]:
    return [
        f"{entry.where}: matches no test"
        for entry in entries
        if entry.pattern != SKIP_CONSOLE_WARNINGS
        and not any(glob.matches(entry.pattern, name) for name in names)
    ]


def _unscoped(entries: list[Entry], options: Selection) -> list[str]:
    notices = []
    streams = [entry for entry in entries if entry.streams]
    if streams and options.stream is None:
        notices.append(
            f"{streams[0].file}: the stream of this build is unknown, so {_count(streams)} bound to streams"
            " went unheeded; name it with --denylist-stream"
        )
    versions = [entry for entry in entries if entry.osversion]
    if versions and options.osversion is None:
        notices.append(
            f"{versions[0].file}: the OS version of this build is unknown, so {_count(versions)}"
            " bound to versions went unheeded"
        )
    return notices


def _count(entries: list[Entry]) -> str:
    return "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
