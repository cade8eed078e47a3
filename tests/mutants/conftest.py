"""`pytest tests/mutants`: options, and the table of what was caught by what."""

from __future__ import annotations

import pytest

from mutants.factset import fact_groups
from mutants.mutantset import groups, load

TABLE: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mutants")
    group.addoption("--mutant", action="append", metavar="NAME", help="only this mutant (repeatable)")
    group.addoption("--mutants-alone", action="store_true", help="a machine of its own for each mutant")
    group.addoption("--tests-at-once", type=int, default=2, metavar="N", help="tests run side by side")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = {"group", "fact_group"} & set(metafunc.fixturenames)
    if not asked:
        return
    wanted = metafunc.config.getoption("--mutant")
    mutants = load()
    if unknown := set(wanted or ()) - {mutant.name for mutant in mutants}:
        raise pytest.UsageError(f"--mutant: there is none named {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in mutants if not wanted or mutant.name in wanted]
    alone = metafunc.config.getoption("--mutants-alone")
    packed = fact_groups(chosen) if "fact_group" in asked else groups(chosen, alone=alone)
    metafunc.parametrize(asked.pop(), packed, ids=str)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[str]:
    """Lines of the table mutant → caught by."""
    return request.config.stash[TABLE]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = terminalreporter.config.stash[TABLE]
    if lines:
        terminalreporter.section("mutants")
        for line in lines:
            terminalreporter.write_line(line)
