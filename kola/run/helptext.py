"""The help of a command, read from its parser: the source of `--help` and of the man page.

The data is English; `render` speaks the user's language.

`--help` is to fit a screen, so a command with many flags names those that have a line of their own there; the
others follow as a list, and `--help-all` explains them.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from harness.util.language import localized, tr
from harness.util.width import padded, width, wrapped

WIDEST = 100
_NARROWEST = 40
_WIDEST_COLUMN = 30
_INDENT = "  "


@dataclass(frozen=True, kw_only=True)
class Row:
    """A flag with all its names, an argument, or a command of a command."""

    names: tuple[str, ...]
    value: str = ""
    text: str

    def __str__(self) -> str:
        return " ".join(filter(None, (", ".join(self.names), self.value)))


@dataclass(frozen=True, kw_only=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Manual:
    """Everything that the help of a command says. `more` are flags without a row, `like` a command that has
    the same ones.
    """

    prog: str
    usage: str
    description: tuple[str, ...]
    sections: tuple[Section, ...]
    more: tuple[str, ...] = ()
    like: str = ""
    examples: tuple[str, ...] = ()

    def render(self, columns: int | None = None) -> str:
        """Return the text of `--help`, as wide as the terminal by default, and never wider than WIDEST."""
        wide = max(_NARROWEST, min(WIDEST, columns or shutil.get_terminal_size().columns))
        paragraphs = (" ".join(part.split()) for part in self.description)
        parts = [
            tr("usage: {usage}", usage=self.usage),
            *("\n".join(wrapped(localized(part), wide)) for part in paragraphs),
        ]
        rows = [row for section in self.sections for row in section.rows]
        column = min(_WIDEST_COLUMN, max((len(str(row)) for row in rows), default=0)) + 2 * len(_INDENT)
        lines = []
        for section in self.sections:
            lines.append(tr("{title}:", title=localized(section.title)))
            lines += (line for row in section.rows for line in _row(row, column, wide))
        parts.append("\n".join(lines))
        if self.like:
            more = tr(
                "more flags, mostly those of kola {like}: {prog} --help-all", like=self.like, prog=self.prog
            )
            parts[-1] += "\n" + "\n".join(wrapped(more, wide))
        elif self.more:
            more = tr("more flags, which {prog} --help-all explains:", prog=self.prog)
            listed = wrapped(", ".join(self.more), wide, first=_INDENT, rest=_INDENT)
            parts[-1] += "\n" + "\n".join([*wrapped(more, wide), *listed])
        if self.examples:
            examples = (f"{_INDENT}{localized(example)}" for example in self.examples)
            parts.append("\n".join([tr("examples:"), *examples]))
        return "\n\n".join(filter(None, parts)) + "\n"


def manual(
    parser: argparse.ArgumentParser,
    *,
    usage: str,
    every: bool,
    shown: Collection[str] = (),
    like: str = "",
    examples: Sequence[str] = (),
) -> Manual:
    """Read a parser.

    Unless `every`, the description is its first paragraph, a flag has its first names, and with `shown` only
    flags of these names and arguments have a row.
    """
    sections, more = [], []
    paragraphs = tuple((parser.description or "").strip().split("\n\n"))
    for group in _ordered(parser):
        rows: list[Row] = []
        for action in group._group_actions:
            brief = not every and bool(action.option_strings)
            if brief and shown and not set(shown).intersection(action.option_strings):
                more.append(_usual_name(action))
            elif not brief or action.dest not in ("help", argparse.SUPPRESS):
                rows += _rows(parser, action, every=every)
        if rows:
            sections.append(Section(title=group.title or "", rows=tuple(rows)))
    return Manual(
        prog=parser.prog,
        usage=usage,
        description=paragraphs if every else paragraphs[:1],
        sections=tuple(sections),
        more=tuple(name for name in more if not name.startswith("--help")),
        like=like,
        examples=tuple(examples),
    )


def _ordered(parser: argparse.ArgumentParser) -> list[argparse._ArgumentGroup]:
    """Return the groups of arguments: positional ones first, and flags without a group last."""
    positional, options, *titled = parser._action_groups
    return [positional, *titled, options]


def _rows(parser: argparse.ArgumentParser, action: argparse.Action, *, every: bool) -> Iterator[Row]:
    if isinstance(action, argparse._SubParsersAction):
        for choice in action._choices_actions:
            yield Row(names=(choice.dest,), text=choice.help or "")
        return
    formatter = parser._get_formatter()
    text = formatter._expand_help(action) if action.help else ""
    value = formatter._metavar_formatter(action, action.dest.upper())(1)[0] if action.nargs != 0 else ""
    if action.option_strings:
        names = _names(action)
        short, long = (
            [name for name in names if not name.startswith("--")],
            [name for name in names if name.startswith("--")],
        )
        yield Row(names=names if every else (*short[:1], *long[:1]), value=value, text=text)
    else:
        yield Row(names=(value,), text=text)


def _names(action: argparse.Action) -> tuple[str, ...]:
    """Return the names of a flag, short ones first, without the spelled-out values of a switch."""
    names = [name for name in action.option_strings if "=" not in name]
    return tuple(sorted(names, key=lambda name: name.startswith("--")))


def _usual_name(action: argparse.Action) -> str:
    """Return the long name of a flag: of a switch that is on by default, the one that turns it off."""
    long = [name for name in _names(action) if name.startswith("--")]
    return long[-1] if action.default is True else long[0]


def _row(row: Row, column: int, wide: int) -> Iterator[str]:
    head = f"{_INDENT}{row}"
    lines = wrapped(localized(row.text), max(20, wide - column))
    if width(head) > column - len(_INDENT):
        yield head
    else:
        yield padded(head, column) + lines[0] if lines else head
        lines = lines[1:]
    yield from (" " * column + line for line in lines)
