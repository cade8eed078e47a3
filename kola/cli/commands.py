"""The commands of `kola`: its own, and those that other packages register in the group `kola.commands`.

A command is a module with `HELP`, one line for `kola --help`; `add_arguments(parser)`; and `run(args)`, which
returns the exit status. Its docstring is the description in its own `--help`, which ends with its `EXAMPLES`.
A command with more flags than a screen has lines names in `SHOWN` those that `--help` explains, and in `LIKE`
the command that has the others, too. `--help-all` and the man page explain all.

At its top a module imports only what help and completion need; what takes longer, `run` imports.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from harness.errors import ConfigError
from harness.util.suggest import near
from kola.run.argtypes import shortened
from kola.run.options import UPGRADE, parser_of
from kola.run.parser import Parser

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "kola.commands"

# Equal to the group in pyproject.toml, as a test checks. An own command starts without a search through the
# metadata of all packages, and an updated checkout needs no new installation.
OWN = {
    "run": "kola.cli.run",
    "run-upgrade": "kola.cli.run_upgrade",
    "rerun": "kola.cli.rerun",
    "testiso": "kola.cli.testiso",
    "list": "kola.cli.list",
    "spawn": "kola.cli.spawn",
    "ps": "kola.cli.ps",
    "ssh": "kola.cli.ssh",
    "scp": "kola.cli.scp",
    "console": "kola.cli.console",
    "screenshot": "kola.cli.screenshot",
    "stop": "kola.cli.stop",
    "qemuexec": "kola.cli.qemuexec",
    "bootchart": "kola.cli.bootchart",
    "http-server": "kola.cli.http_server",
    "check-console": "kola.cli.check_console",
    "butane": "kola.cli.butane",
    "nosa": "kola.cli.nosa",
    "reference": "kola.cli.reference",
    "facts": "kola.cli.facts",
    "platforms": "kola.cli.platforms",
    "ncpu": "kola.cli.ncpu",
    "completion": "kola.cli.completion",
    "man": "kola.cli.man",
    "version": "kola.cli.version",
}

TOPICS = {
    "tests": ("run", "run-upgrade", "rerun", "testiso", "list"),
    "machines": ("spawn", "ps", "ssh", "scp", "console", "screenshot", "stop", "qemuexec", "bootchart"),
    "builds and configs": ("facts", "reference", "butane"),
    "tools": ("platforms", "check-console", "http-server", "ncpu", "nosa"),
    "kola itself": ("completion", "man", "version"),
}
"""The order of `kola --help`. Commands of other packages follow."""


class Command(Protocol):
    """The module of a command."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def names() -> list[str]:
    """Return the names of all commands, kola's own first."""
    return [*OWN, *sorted(point.name for point in _registered() if point.name not in OWN)]


def by_topic() -> dict[str, list[str]]:
    """Return the names of all commands in the order of `kola --help`."""
    topics = {topic: list(members) for topic, members in TOPICS.items()}
    others = [name for name in names() if name not in OWN]
    return topics | ({"of other packages": others} if others else {})


def load(name: str) -> Command:
    """Import and return the module of a command. Raises ConfigError for an unknown one."""
    if name in OWN:
        return cast(Command, importlib.import_module(OWN[name]))
    for point in _registered():
        if point.name == name:
            return cast(Command, point.load())
    similar = near(name, names())
    hint = f"did you mean {similar[0]}?" if similar else _all_commands()
    raise ConfigError(f"unknown command {shortened(name)}", hint=hint)


def parser(name: str, command: Command) -> Parser:
    """Return the parser of a command."""
    made = Parser(
        prog=f"kola {name}",
        description=command.__doc__,
        examples=getattr(command, "EXAMPLES", ()),
        shown=getattr(command, "SHOWN", ()),
        like=getattr(command, "LIKE", ""),
    )
    command.add_arguments(made)
    return made


def command_first(words: Sequence[str]) -> list[str]:
    """Move the command before the options, since Go's kola also takes options in front of it.

    Raises ConfigError for an option there that `kola run` does not have.
    """
    at = command_position(words)
    if at >= len(words):
        raise ConfigError("no command", hint=_all_commands())
    return [words[at], *words[:at], *words[at + 1 :]]


def command_position(words: Sequence[str], *, start: int = 0) -> int:
    """Return the place, from `start` on, of the first word that is no option of a run, nor its value.

    It may lie behind the last word. Raises ConfigError for an unknown option.
    """
    at = start
    if at >= len(words) or not words[at].startswith("-"):
        return at
    options = parser_of(UPGRADE)
    while at < len(words) and words[at].startswith("-"):
        takes_value = options.takes_value(words[at])
        if takes_value is None:
            options.prog = "kola"
            options.parse([words[at]])  # raises, with a suggestion
        at += 2 if takes_value else 1
    return at


def _all_commands() -> str:
    return f"known commands: {', '.join(names())}"


def _registered() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # only for commands of others: it takes 15 ms to import

    return tuple(entry_points(group=GROUP))
