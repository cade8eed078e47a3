"""Completion of kola's command lines. argcomplete's scripts call kola with a line, and read words from it.

Only the command on the line is loaded. Nothing is ever printed on the terminal: an error completes nothing.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NoReturn

from argcomplete.completers import ChoicesCompleter, DirectoriesCompleter, FilesCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.lexers import split_line

from harness.util.language import localized
from kola.cli import commands
from kola.cli.candidates import BY_DESTINATION, WITH_FILES, Completer
from kola.cli.completion import PROGRAM
from kola.run.options import RUN
from kola.run.parser import Parser

_FIRST_WORD = "_ARGCOMPLETE"
_HELP = "help"
_BY_METAVAR: Mapping[str, Callable[[], Callable[..., Iterable[str]]]] = {
    "FILE": FilesCompleter,
    "DIR": DirectoriesCompleter,
    "HOST[,GUEST]": DirectoriesCompleter,
}


def complete() -> NoReturn:
    """Write the completions of the line in the environment to descriptor 8, and end the process."""
    try:
        line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
        _, prefix, _, words, _ = split_line(line, point)
        last, parser = _wanted(words, prefix)
        _equip(parser)
        os.environ[_FIRST_WORD] = str(last + 1)  # counted from 1; the parser gets the words after this one
        _Finder()(
            parser,
            always_complete_options=False if _has_arguments(parser) else "long",
            exclude=_spelled_out(parser),
        )
    except Exception:
        os._exit(1)
    os._exit(0)


class _Finder(CompletionFinder):
    """The library's finder, which also knows that patterns may follow options: `kola run a --tag x b`."""

    def collect_completions(
        self,
        active_parsers: list[argparse.ArgumentParser],
        parsed_args: argparse.Namespace,
        cword_prefix: str,
    ) -> list[str]:
        found = super().collect_completions(active_parsers, parsed_args, cword_prefix)
        parser = active_parsers[-1]
        expected = getattr(parser, "active_actions", ())  # set by the library: what the word may be
        if found or expected or cword_prefix.startswith("-"):
            return found
        for action in parser._actions:
            if action.dest == "patterns":
                words = _completer(action)(
                    prefix=cword_prefix, action=action, parser=parser, parsed_args=parsed_args
                )
                return [word for word in words if word.startswith(cword_prefix)]
        return []


def _wanted(words: Sequence[str], prefix: str) -> tuple[int, Parser]:
    """Return the parser for the word at the cursor, and the place of the word before its first argument.

    `words` are those before the cursor. Raises ConfigError for an unknown command.
    """
    program = next((at for at, word in enumerate(words) if PurePath(word).name == PROGRAM), 0)
    at = commands.command_position(words, start=program + 1)
    if at > len(words) or (at == len(words) > program + 1 and prefix.startswith("-")):
        return program, commands.parser(RUN, commands.load(RUN))  # its flags may stand before the command
    if at == len(words):
        return at - 1, _one_of([*commands.names(), _HELP], _summary)
    name, *more = words[at:]
    if name != _HELP:
        return at, commands.parser(name, commands.load(name))
    if not more:
        return at, _one_of(commands.names(), _summary)
    verbs = commands.parser(more[0], commands.load(more[0])).verbs()
    return at + 1, _one_of(verbs, lambda verb: verbs[verb].description or "")


def _one_of(names: Iterable[str], summary: Callable[[str], str]) -> Parser:
    """Return a parser whose only argument is one of these words."""
    made = Parser(prog=PROGRAM)
    made.add_argument("--version", action="store_true", help="print the version")
    _set(made.add_argument("word"), Completer(lambda parser, args: {name: summary(name) for name in names}))
    return made


def _summary(name: str) -> str:
    return "print the help of a command" if name == _HELP else commands.load(name).HELP


def _equip(parser: argparse.ArgumentParser) -> None:
    """Give completers to the arguments that have none, and texts in the user's language to all."""
    for action in parser._actions:
        action.help = localized((action.help or "").replace("%%", "%")).replace("%", "%%")
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                _equip(sub)
        elif not hasattr(action, "completer"):
            _set(action, _completer(action))


def _completer(action: argparse.Action) -> Callable[..., Iterable[str]]:
    known = BY_DESTINATION.get(action.dest)
    if known is not None:
        return _and_files(known) if action.dest in WITH_FILES else known
    kind = _BY_METAVAR.get(str(action.metavar))
    if kind is not None:
        return kind()
    if action.choices is not None:
        return ChoicesCompleter(dict.fromkeys(action.choices, ""))
    return _nothing


def _nothing(**words: Any) -> tuple[str, ...]:
    """Offer no value. The library's SuppressCompleter would hide the flag itself, too."""
    return ()


def _and_files(known: Completer) -> Callable[..., Iterable[str]]:
    def either(**words: Any) -> Mapping[str, str]:
        return {**known(**words), **dict.fromkeys(FilesCompleter()(**words), "")}

    return either


def _set(action: argparse.Action, completer: Callable[..., Iterable[str]]) -> None:
    action.completer = completer  # type: ignore[attr-defined]  # the attribute that argcomplete reads


def _has_arguments(parser: argparse.ArgumentParser) -> bool:
    return any(not action.option_strings for action in parser._actions)


def _spelled_out(parser: Parser) -> set[str]:
    """Return the forms `--flag=true` and their like, which are not worth offering."""
    parsers = (parser, *parser.verbs().values())
    options = {option for one in parsers for action in one._actions for option in action.option_strings}
    return {option for option in options if "=" in option}
