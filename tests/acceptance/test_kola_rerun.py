"""`kola rerun`: what failed runs again as it ran, without a word about how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.checkout import Checkout
from fakes.steering import FakeQemu

SUITE = """
    @pytest.mark.kola()
    def test_passes():
        pass

    @pytest.mark.kola(required_tag="odd", tags=["odd"], distros="fcos")
    def test_fails():
        raise AssertionError

    @pytest.mark.kola(tags=["odd"], distros="fcos")
    def test_is_like_it():
        pass
"""
BROKEN = "#!/bin/sh\n## kola:\n##   exclusiv: false\ntrue\n"


@pytest.fixture
def checkout(fake_qemu: FakeQemu, tmp_path: Path) -> Checkout:
    return Checkout(fake_qemu, tmp_path / "checkout")


def results_in(output: Path) -> dict[str, str]:
    report = json.loads((output / "reports/report.json").read_text())
    return {test["name"]: test["result"] for test in report["tests"]}


def broken_test(checkout: Checkout) -> Path:
    """`ext.proj.broken`, which fails before any machine."""
    executable = checkout.root / "proj/tests/kola/broken"
    executable.parent.mkdir(parents=True)
    executable.write_text(BROKEN)
    executable.chmod(0o755)
    return executable


def test_what_failed_runs_again_with_the_options_of_the_run(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    broken = broken_test(checkout)
    given = ("-E", "proj", "--also-distro", "fcos", "--tag", "odd", "mine.*", "ext.*")
    first = checkout.run(*given)
    assert first.results == {
        "ext.proj.broken": "FAIL",
        "mine.fails": "FAIL",
        "mine.is-like-it": "PASS",
        "mine.passes": "PASS",
    }
    flags = f"--qemu-image={checkout.fake.image} --also-distro=fcos --exttest={checkout.root}/proj"
    assert f"again  kola run --workdir=none {flags} " in first.stdout
    assert "--tag=odd mine.fails\n" in first.stdout
    again = checkout.run(command="rerun", image=False)
    assert results_in(checkout.output / "rerun") == {"ext.proj.broken": "FAIL", "mine.fails": "FAIL"}
    assert f"with the options of the last run: {flags}\n" in again.stderr
    assert first.results["mine.passes"] == "PASS"  # the evidence is still there
    broken.write_text(BROKEN.replace("exclusiv", "exclusive"))
    checkout.run("-E", "proj", "mine.*", command="rerun")
    assert results_in(checkout.output / "rerun-2") == {"mine.fails": "FAIL"}


def test_what_is_wrong_with_a_test_is_said_once_where_it_ran_and_once_at_the_end(checkout: Checkout) -> None:
    broken_test(checkout)
    printed = checkout.run("-E", "proj", "ext.*").stdout
    assert printed.count("unknown key 'exclusiv'") == 2
    assert printed.count("hint: did you mean 'exclusive'?") == 2


def test_copies_that_failed_run_again_as_the_one_test_they_are(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    first = checkout.run("--also-distro", "fcos", "--tag", "odd", "--multiply", "2", "mine.*")
    assert {name for name, result in first.results.items() if result == "FAIL"} == {
        "mine.fails0",
        "mine.fails1",
    }
    checkout.run(command="rerun", image=False)
    assert results_in(checkout.output / "rerun") == {"mine.fails": "FAIL"}
