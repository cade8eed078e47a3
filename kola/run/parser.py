"""The parser of every command: no abbreviations, `--flag=true|false`, short errors with a suggestion."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from harness.errors import ConfigError
from harness.util.suggest import near

TRUE = ("true", "True", "TRUE", "t", "T", "1")
FALSE = ("false", "False", "FALSE", "f", "F", "0")
"""The words of Go's strconv.ParseBool, which the scripts of kola's users rely on."""


class Switch(argparse.Action):
    """A boolean option: `--flag`, and `--flag=true` or `--flag=false` as in Go's flags."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, *, default: bool = False, help: str | None = None
    ) -> None:
        long = [option for option in option_strings if option.startswith("--")]
        spelled = [f"{option}={word}" for option in long for word in (*TRUE, *FALSE)]
        super().__init__([*option_strings, *spelled], dest, nargs=0, default=default, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        name, _, word = (option_string or "").partition("=")
        negative = name.startswith("--no-") and not self.dest.startswith("no_")
        setattr(namespace, self.dest, (word in FALSE) == negative)


class _Formatter(argparse.HelpFormatter):
    """A formatter that omits the spelled-out values of a switch from the help."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not isinstance(action, Switch):
            return super()._format_action_invocation(action)
        return ", ".join(option for option in action.option_strings if "=" not in option)


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigError for wrong arguments: one sentence, with the command's own usage."""

    def __init__(self, *, examples: Sequence[str] = (), **words: Any) -> None:
        self._width: int | None = 80
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **words)
        self._examples = tuple(examples)

    def format_help(self) -> str:
        self._width = None
        lines = "".join(f"  {example}\n" for example in self._examples)
        return super().format_help() + (f"\nexamples:\n{lines}" if lines else "")

    def _get_formatter(self) -> argparse.HelpFormatter:
        """Make a formatter, as argparse does for every argument it is told of.

        The width of the terminal is asked for in the help alone: that takes an import of 10 ms.
        """
        return _Formatter(self.prog, width=self._width)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse like argparse, but allow options between the patterns. Raises ConfigError."""
        self.usage = self.short_usage()
        parsed, extra = self.parse_known_args(words)
        unknown = next((word for word in extra if word.startswith("-") and word != "-"), None)
        if unknown is not None:
            name = unknown.partition("=")[0]
            self.error(f"unknown option {_cut(name)}{self._suggestion(name)}")
        if extra and not hasattr(parsed, "patterns"):
            self.error(f"unexpected argument {_cut(extra[0])!r}")
        if extra:
            parsed.patterns = [*parsed.patterns, *extra]
        return parsed

    def error(self, message: str) -> NoReturn:
        message = message.replace("ignored explicit argument", "takes true or false, not")
        if message.endswith("expected one argument"):
            message += "; one that begins with a dash is written with an equals sign, --option=-x"
        usage = self.short_usage().replace("%%", "%").replace("%(prog)s", self.prog)
        raise ConfigError(message, hint=f"usage: {usage}; {self.prog} --help explains each")

    def short_usage(self) -> str:
        """Return the usage in one line, without a list of options."""
        positional = [action for action in self._actions if not action.option_strings]
        shown = [f"[{one.metavar}…]" if one.nargs == "*" else str(one.metavar) for one in positional]
        return " ".join(["%(prog)s", "[OPTION…]", *shown])

    def takes_value(self, word: str) -> bool | None:
        """Return True when an option's value is the next word; None for an unknown option."""
        action = self._option_string_actions.get(word)
        if action is not None:
            return action.nargs != 0
        name = word.partition("=")[0] if word.startswith("--") else word[:2]
        return False if name in self._option_string_actions else None

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        if action.option_strings and "--" in arg_strings:  # argparse would drop it, and find no value
            raise argparse.ArgumentError(action, "'--' is no value")
        return super()._get_values(action, arg_strings)

    def _suggestion(self, name: str) -> str:
        known = [option for option in self._option_string_actions if "=" not in option]
        similar = near(name, known, cutoff=0.7)
        return f"; did you mean {similar[0]}?" if similar else ""


def _cut(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
