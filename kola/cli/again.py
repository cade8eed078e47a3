"""The options for `kola rerun`: those of an earlier run, with the tests to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigError
from harness.util.language import tr
from kola.cases.names import original_name
from kola.report.layout import RERUN
from kola.report.properties import Typed, read_typed
from kola.report.rerun import as_pattern, last_run, names_again
from kola.run.options import NOT_AGAIN, RUN, UPGRADE, RunOptions, parse, typed, words
from kola.run.output import default_base, unused
from kola.select.glob import matches_any


def options_again(now: RunOptions) -> tuple[RunOptions, list[str]] | None:
    """Return the options to run with, and which of them come from the earlier run; None when nothing is left.

    Patterns narrow the tests down. The results go to a new directory inside a given output directory, so that
    the evidence stays. Raises ConfigError.
    """
    output = last_run([now.output_dir or default_base(now.subject.directory)])
    earlier = read_typed(output)
    names = _single(names_again(output, earlier.tests), earlier)
    if not names:
        print(tr("nothing failed in {path}", path=output))
        return None
    names = _narrowed(names, now.selection.patterns, output)
    options, kept = _with_earlier(now, earlier)
    selection = replace(
        options.selection, patterns=tuple(as_pattern(name) for name in names), granted=tuple(names)
    )
    return replace(options, selection=selection, output_dir=_inside(now.output_dir)), kept


def _single(names: Sequence[str], earlier: Typed) -> list[str]:
    """Return the names of the original tests, without the numbers of `--multiply`."""
    multiplied = "multiply" in earlier.options
    return list(dict.fromkeys(original_name(name) if multiplied else name for name in names))


def _narrowed(names: list[str], patterns: Sequence[str], output: Path) -> list[str]:
    if not patterns:
        return names
    kept = [name for name in names if matches_any(patterns, name)]
    if not kept:
        some = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
        raise ConfigError(
            f"no test to run again matches {' or '.join(map(repr, patterns))}",
            file=output,
            hint=f"failed or never ran: {some}",
        )
    return kept


def _with_earlier(now: RunOptions, earlier: Typed) -> tuple[RunOptions, list[str]]:
    """Parse the earlier run's options again, except those that are typed now."""
    command = earlier.command if earlier.command in (RUN, UPGRADE) else RUN
    anew = typed(now)
    known = {name for name, _ in RunOptions().flat()}
    kept = words(
        {name: value for name, value in earlier.options.items() if name in known - NOT_AGAIN - anew.keys()}
    )
    return parse([*kept, *words(anew)], command=command), kept


def _inside(directory: Path | None) -> Path | None:
    return unused(directory / RERUN) if directory is not None else None
