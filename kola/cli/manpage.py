"""The man page, in the macros of man(7), made of the same data as `--help`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kola.run.helptext import Manual, Row

EXIT_STATUS = {
    "0": "The command did what was asked of it. Of a run: all tests passed.",
    "1": "A test failed, the run was interrupted, or a machine or this host failed.",
    "2": "The input was wrong. There is one message, and nothing was run or removed.",
    "77": "With --on-warn-failure-exit-77: the only failures are warnings.",
}
ENVIRONMENT = {
    "KOLA_MEMORY": "The memory of all machines together, such as 6G.",
    "KOLA_DEADLINE_SCALE": "The factor of all time limits; measured by default, where KVM is missing.",
    "KOLA_ACCEL": "With the value tcg, machines do without KVM.",
    "KOLA_LIBVIRT_URI": "The libvirt daemon of -p libvirt, unless --libvirt-uri names one.",
    "KOLA_SCRATCH": "The directory for the disks of running machines; by default one in the cache.",
    "KOLA_ARTIFACT_CACHE_SIZE": "The limit of the cache of unpacked artifacts, such as 40G (20G).",
    "KOLA_INSTALLER": "The program nestos-installer that live media are customised with.",
    "NO_COLOR": "With any value, kola prints no colours.",
    "XDG_CACHE_HOME": "Below it, kola/ holds templates and the reference OS; ~/.cache by default.",
    "XDG_STATE_HOME": "Below it, kola/machines/ holds kept machines; ~/.local/state by default.",
}

_ESCAPES = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}
_SPECIAL = re.compile(r"[\\\-'`^~\"]|[^\x00-\x7f]")


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of section 1: all of kola, or one command. `commands` are texts and manuals by name."""

    name: str
    summary: str
    version: str
    commands: Mapping[str, tuple[str, tuple[Manual, ...]]]

    def render(self) -> str:
        """Return the source of the page."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = self.name.upper().replace(" ", "-")
        yield f'.TH "{escaped(name)}" 1 "" "kola {escaped(self.version)}" "User Commands"'
        yield from (".SH NAME", rf"{escaped(self.name.replace(' ', '-'))} \- {escaped(self.summary)}")
        yield from (".SH SYNOPSIS",)
        if len(self.commands) == 1:
            ((_, manuals),) = self.commands.values()
            yield from _body(manuals[0], usage=True)
            rest = manuals[1:]
        else:
            yield rf"\fBkola\fR \fICOMMAND\fR [\fIOPTION\fR{escaped('…')}] [\fIARGUMENT\fR{escaped('…')}]"
            yield ".SH COMMANDS"
            yield from _tagged((rf"\fB{escaped(one)}\fR", text) for one, (text, _) in self.commands.items())
            rest = tuple(manual for _, manuals in self.commands.values() for manual in manuals)
        for manual in rest:
            yield from (f'.SH "{escaped(manual.prog.upper())}"', *_body(manual))
        yield from (".SH EXIT STATUS", *_named(EXIT_STATUS))
        yield from (".SH ENVIRONMENT", *_named(ENVIRONMENT))


def escaped(text: str) -> str:
    """Return text in which no character means anything to roff, in ASCII."""
    safe = _SPECIAL.sub(lambda found: _ESCAPES.get(found[0]) or rf"\[u{ord(found[0]):04X}]", text)
    return re.sub(r"^(?=\.)", r"\\&", safe, flags=re.MULTILINE)


def _body(manual: Manual, *, usage: bool = False) -> Iterator[str]:
    yield rf"\fB{escaped(manual.prog)}\fR{escaped(manual.usage.removeprefix(manual.prog))}"
    if usage:
        yield ".SH DESCRIPTION"
    for paragraph in manual.description:
        yield from (".PP", escaped(paragraph))
    for section in manual.sections:
        yield f'.SS "{escaped(section.title)}"'
        yield from _tagged((_tag(row), row.text) for row in section.rows)
    if manual.examples:
        yield from ('.SS "examples"', ".nf", *(escaped(example) for example in manual.examples), ".fi")


def _tag(row: Row) -> str:
    names = ", ".join(rf"\fB{escaped(name)}\fR" for name in row.names)
    return rf"{names} \fI{escaped(row.value)}\fR" if row.value else names


def _named(texts: Mapping[str, str]) -> Iterator[str]:
    return _tagged((rf"\fB{escaped(name)}\fR", text) for name, text in texts.items())


def _tagged(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for tag, text in entries:
        yield from (".TP", tag, escaped(text))
