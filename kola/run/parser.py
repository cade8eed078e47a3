"""The parser of every command: no abbreviations, `--flag=true|false`, short errors with a suggestion."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import ConfigError
from harness.util.suggest import near

if TYPE_CHECKING:
    from kola.run.helptext import Manual

TRUE = ("true", "True", "TRUE", "t", "T", "1")
FALSE = ("false", "False", "FALSE", "f", "F", "0")
"""The words of Go's strconv.ParseBool, which the scripts of kola's users rely on."""

_SPELLED_OUT = re.compile(rf"/-[\w-]+=(?:{'|'.join((*TRUE, *FALSE))})\b")
"""The forms of a Switch with a value, which argparse lists in messages among the names of the flag."""


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


class _HelpAll(argparse.Action):
    """The flag that prints the help with every flag explained."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(parser, Parser)
        sys.stdout.write(parser.manual(every=True).render())
        parser.exit()


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigError for wrong arguments: one sentence, with the command's own usage.

    `examples` end the help. With `shown`, only these flags have a line in `--help`; `like` is a command that
    has the others, too.
    """

    def __init__(
        self, *, examples: Sequence[str] = (), shown: Sequence[str] = (), like: str = "", **words: Any
    ) -> None:
        super().__init__(allow_abbrev=False, add_help=False, **words)
        self._examples = tuple(examples)
        self._shown = tuple(shown)
        self._like = like
        self._positionals.title = "arguments"
        self.add_argument("-h", "--help", action="help", help="print this help")
        self.add_argument("--help-all", action=_HelpAll, help="print the help with every flag explained")

    def manual(self, *, every: bool) -> Manual:
        """Return the help as data, with a row for every flag or, unless `every`, for those of `--help`."""
        from kola.run.helptext import manual  # which a command that only runs has no use for

        usage = self.short_usage().replace("%(prog)s", self.prog)
        shown, like = ((), "") if every else (self._shown, self._like)
        return manual(self, usage=usage, every=every, shown=shown, like=like, examples=self._examples)

    def manuals(self) -> tuple[Manual, ...]:
        """Return the full help of the command, and of its own commands."""
        return tuple(one.manual(every=True) for one in (self, *self.verbs().values()))

    def verbs(self) -> Mapping[str, Parser]:
        """Return the parsers of the command's own commands, by name."""
        found: dict[str, Parser] = {}
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                found |= action.choices
        return found

    def format_help(self) -> str:
        return self.manual(every=False).render()

    def _get_formatter(self) -> argparse.HelpFormatter:
        """Make a formatter, as argparse does for every argument it is told of.

        It is told a width, since asking the terminal takes an import of 10 ms.
        """
        return argparse.HelpFormatter(self.prog, width=80)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse like argparse, but allow options between the patterns. Raises ConfigError."""
        self.usage = self.short_usage()
        parsed, extra = self.parse_known_args(words)
        unknown = next((word for word in extra if word.startswith("-") and word != "-"), None)
        if unknown is not None:
            name = unknown.partition("=")[0]
            self._refuse(name)
        if extra and not hasattr(parsed, "patterns"):
            self.error(f"unexpected argument {_cut(extra[0])!r}")
        if extra:
            parsed.patterns = [*parsed.patterns, *extra]
        return parsed

    def _refuse(self, name: str) -> NoReturn:
        """Raise ConfigError for an option that the command does not have."""
        from kola.run.goflags import INSTEAD

        if name in INSTEAD:
            raise ConfigError(f"{self.prog} does not have the Go kola's {name}", hint=INSTEAD[name])
        self.error(f"unknown option {_cut(name)}" + self._suggestion(name))

    def error(self, message: str) -> NoReturn:
        message = _SPELLED_OUT.sub("", message).replace(
            "ignored explicit argument", "takes true or false, not"
        )
        if message.endswith("expected one argument"):
            message += "; one that begins with a dash is written with an equals sign, --option=-x"
        usage = self.short_usage().replace("%%", "%").replace("%(prog)s", self.prog)
        raise ConfigError(message, hint=f"usage: {usage}; {self.prog} --help explains each")

    def short_usage(self) -> str:
        """Return the usage in one line, without a list of options."""
        positional = [action for action in self._actions if not action.option_strings]
        return " ".join(["%(prog)s", "[OPTION…]", *(_placeholder(action) for action in positional)])

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
        longer = [option for option in known if option.startswith(name)]
        similar = longer if len(longer) == 1 else near(name, known, cutoff=0.7)
        return "; " + f"did you mean {similar[0]}?" if similar else ""


def titled_group(parser: argparse.ArgumentParser, title: str) -> argparse._ArgumentGroup:
    """Return the group of this title, made unless another function has."""
    made = (group for group in parser._action_groups if group.title == title)
    return next(made, None) or parser.add_argument_group(title)


def _placeholder(action: argparse.Action) -> str:
    match action.nargs:
        case "*" | argparse.REMAINDER:
            return f"[{action.metavar}…]"
        case "+":
            return f"{action.metavar}…"
        case "?":
            return f"[{action.metavar}]"
    return str(action.metavar)


def _cut(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"
