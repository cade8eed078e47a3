"""`kola list --promises`: the user guide's promises, their tests, the last verdicts."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence

from harness.errors import ConfigError
from kola.cli.output import default_base
from kola.cli.table import aligned
from kola.promises import FILE, Promises, State, Status, statuses
from kola.report.history import last_verdicts, reports_in
from kola.select.catalog import Catalog, own_root
from kola.select.options import workdir

_HEADER = ("Section", "Promise", "Test", "Last Verdict")
_BLANK = ("",) * len(_HEADER)


def list_promises(args: argparse.Namespace, catalog: Catalog) -> int:
    """Of all tests: a promise looks uncovered when its tests are filtered away."""
    if args.patterns or args.tag:
        raise ConfigError("--promises is about all tests", hint="leave out patterns and --tag")
    for error in catalog.errors:
        raise error
    reports = reports_in(args.output_dir or default_base(workdir(args)))
    if args.output_dir and not reports:
        raise ConfigError("holds no report of a run", file=args.output_dir)
    table = Promises.load(own_root() / FILE)
    rows = statuses(table, catalog.tests, last_verdicts(reports))
    print(as_json(rows) if args.json else as_table(rows))
    return 0


def as_table(rows: Sequence[Status]) -> str:
    """A line for each test of a promise, `uncovered` where it has none, and the counts."""
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
            }
            for row in rows
        ],
        indent="\t",
        ensure_ascii=False,
    )


def _lines(row: Status) -> list[tuple[str, str, str, str]]:
    head = (", ".join(row.promise.sections), row.promise.text)
    if not row.verdicts:
        return [(*head, "-", State.UNCOVERED)]
    heads = [head, *[("", "")] * (len(row.verdicts) - 1)]
    return [(*left, *right) for left, right in zip(heads, row.verdicts, strict=True)]


def _counts(rows: Sequence[Status]) -> str:
    counted = Counter(row.state for row in rows)
    parts = [f"{counted[state]} {state}" for state in reversed(State) if counted[state]]
    return f"{len(rows)} promises: {', '.join(parts)}"
