"""Names of tests: the same on the console, in every report, in directories and as a pattern."""

from __future__ import annotations

import re

_ODD = re.compile(r"[^\w.+=,:@%-]+")


def case_name(test: str, parameters: str) -> str:
    """Return the name of one case of a parametrised test: `read-only` and `/usr` give `read-only.usr`.

    `parameters` is pytest's id of the case. Characters with a meaning in patterns or paths become `-`.
    """
    return f"{test}.{_ODD.sub('-', parameters).strip('-.') or 'empty'}"


def copy_name(test: str, number: int) -> str:
    """Return the name of a copy made by `--multiply`, numbered from 0 as in the Go kola.

    A name that ends in a digit gets a `-` before the number, so that no two tests share a copy's name.
    """
    return f"{test}-{number}" if test[-1:].isdigit() else f"{test}{number}"


def original_name(copy: str) -> str:
    """Return the test of which `copy` would be a copy; `copy` itself when it cannot be one."""
    match = re.fullmatch(r"(.*\d)-\d+|(.*\D)\d+", copy)
    return copy if match is None else str(match[1] or match[2])
