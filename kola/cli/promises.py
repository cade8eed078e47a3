"""`kola list --promises`: the user guide's promises, their tests, the last verdicts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError
from kola.cases.catalog import Catalog, own_root
from kola.cases.promises import FILE, Promises, State, Status, statuses
from kola.cli.streams import write_utf8
from kola.cli.table import aligned
from kola.report.history import last_verdicts, reports_in
from kola.run.options import SelectionOptions
from kola.run.output import default_base

_HEADER = ("Section", "Promise", "Test", "Last Verdict")
_BLANK = ("",) * len(_HEADER)


def list_promises(
    catalog: Catalog,
    selection: SelectionOptions,
    *,
    directory: Path | None,
    output: Path | None,
    as_data: bool,
) -> int:
    """Print the table, or JSON if `as_data`. Refuses filters, with which a promise would look uncovered.

    `directory` is the build directory, `output` the run whose verdicts are shown. Raises ConfigError.
    """
    if selection.patterns or selection.tag:
        raise ConfigError("--promises is about all tests", hint="leave out patterns and --tag")
    for error in catalog.errors:
        raise error
    reports = reports_in(output or default_base(directory))
    if output and not reports:
        raise ConfigError("holds no report of a run", file=output)
    table = Promises.load(own_root() / FILE)
    rows = statuses(table, catalog.tests, last_verdicts(reports))
    write_utf8(f"{as_json(rows) if as_data else as_table(rows)}\n")
    return 0


def as_table(rows: Sequence[Status]) -> str:
    """Return a line for each test of a promise, `uncovered` if it has none, and the counts."""
    return f"{aligned([_HEADER, _BLANK, *(line for row in rows for line in _lines(row))])}\n\n{_counts(rows)}"


def as_json(rows: Sequence[Status]) -> str:
    return json.dumps(
        [
            {
                "Sections": row.promise.sections,
                "Key": row.promise.key,
                "Promise": row.promise.text,
                "State": row.state,
                "Tests": dict(row.verdicts),
                "Own Tests": row.promise.own_tests,
            }
            for row in rows
        ],
        indent="\t",
        ensure_ascii=False,
    )


def _lines(row: Status) -> list[tuple[str, str, str, str]]:
    head = (", ".join(row.promise.sections), row.promise.text)
    if row.state is State.OF_KOLA:
        return _headed(head, [(test, "make test") for test in row.promise.own_tests])
    if not row.verdicts:
        return [(*head, "-", State.UNCOVERED)]
    return _headed(head, row.verdicts)


def _headed(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> list[tuple[str, str, str, str]]:
    """Put `head` before the first row, and blanks before the others."""
    heads = [head, *[("", "")] * (len(rows) - 1)]
    return [(*left, *right) for left, right in zip(heads, rows, strict=True)]


def _counts(rows: Sequence[Status]) -> str:
    counted = Counter(row.state for row in rows)
    parts = [f"{counted[state]} {state}" for state in reversed(State) if counted[state]]
    return f"{len(rows)} promises: {', '.join(parts)}"
