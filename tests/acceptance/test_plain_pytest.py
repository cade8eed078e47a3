"""The suites under plain pytest, as `pytest testsuites -k … --kola '…'` in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.checkout import Checkout, Ran

SUITE = """
@pytest.mark.kola(tags=["quick"])
def test_one(machine):
    assert machine.run("true").ok

@pytest.mark.kola()
def test_two(machine):
    assert False

@pytest.mark.kola()
def test_three(machine):
    assert machine.run("true").ok
"""


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.suite(SUITE)
    checkout.suite("@pytest.mark.kola()\ndef test_apart(machine):\n    pass\n", name="other")
    (checkout.root / "conftest.py").write_text('pytest_plugins = ["kola.plugin"]\n')
    return checkout


def plain_pytest(checkout: Checkout, *words: str) -> Ran:
    """pytest with `--kola`, boots cold."""
    flags = f"--qemu-image {checkout.fake.image} --workdir none --boot cold --output-dir {checkout.output}"
    basetemp = str(checkout.root / "tmp")
    return checkout.pytest("-p", "no:cacheprovider", "--basetemp", basetemp, *words, "--kola", flags)


@pytest.mark.parametrize(
    ("words", "ran"),
    [
        (["testsuites", "-k", "one or three"], {"mine.one", "mine.three"}),
        (["testsuites", "-k", "one or three", "-n", "2"], {"mine.one", "mine.three"}),
        (["testsuites/test_mine.py::test_one"], {"mine.one"}),
        (["testsuites/test_other.py"], {"other.apart"}),
    ],
)
def test_what_pytest_itself_leaves_out_is_not_missed(
    checkout: Checkout, words: list[str], ran: set[str]
) -> None:
    done = plain_pytest(checkout, *words)
    assert done.status == 0, done.stdout + done.stderr
    assert set(done.results) == ran
    assert "never ran" not in done.stdout
    assert done.stdout.rstrip().splitlines()[-1] == f"PASS, output in {checkout.output}"


def test_stopping_at_the_first_failure_says_what_never_ran(checkout: Checkout) -> None:
    done = plain_pytest(checkout, "testsuites/test_mine.py", "-x")
    assert done.results == {"mine.one": "PASS", "mine.two": "FAIL"}
    assert "interrupted: stopping after 1 failures; 1 chosen test never ran" in done.stdout
    assert done.status == 1


def test_only_collecting_runs_nothing_and_erases_nothing(checkout: Checkout) -> None:
    assert plain_pytest(checkout, "testsuites", "-k", "one").status == 0
    before = (checkout.output / "reports/report.json").read_text()
    done = plain_pytest(checkout, "testsuites", "--collect-only")
    assert done.status == 0, done.stdout + done.stderr
    assert "4 tests collected" in done.stdout
    assert "never ran" not in done.stdout + done.stderr
    assert (checkout.output / "reports/report.json").read_text() == before
    assert len(checkout.fake.launches) == 1


@pytest.mark.parametrize("argument", ["--collect-only", "-k nothing"])
def test_a_run_in_which_no_chosen_test_ran_is_no_pass(checkout: Checkout, argument: str) -> None:
    done = checkout.run(f"--pytest-args={argument}")
    assert "4 chosen tests never ran: mine.one, mine.three, mine.two, other.apart" in done.stdout
    assert (done.status, done.results, done.report["result"]) == (1, {}, "FAIL")
    assert done.stdout.rstrip().splitlines()[-1] == f"FAIL, output in {checkout.output}"


def test_external_tests_are_collected_from_their_own_files(checkout: Checkout, tmp_path: Path) -> None:
    script = tmp_path / "proj/tests/kola/shell"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n## kola:\n##   tags: quick\ntrue\n")
    script.chmod(0o755)
    flags = f"--qemu-image {checkout.fake.image} --workdir none -E {script.parents[2]}"
    done = checkout.pytest("-p", "kola.plugin", str(script), "--co", "-q", "--kola", flags)
    assert "ext.proj.shell" in done.stdout, done.stdout + done.stderr
    assert done.status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [("--bogus", "--kola: unknown option --bogus"), ("-E 'a", "--kola: No closing quotation")],
)
def test_a_mistake_in_the_string_is_one_clear_error(checkout: Checkout, words: str, said: str) -> None:
    done = checkout.pytest("testsuites", f"--kola={words}")
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.status == 4
