"""A guest that cannot boot is a quick verdict for every test, not a boot for each of them."""

from __future__ import annotations

import pytest
from fakes.checkout import Checkout

SUITE = """
@pytest.mark.kola()
@pytest.mark.parametrize("number", range(6))
def test_any(machine, number):
    pass

@pytest.mark.kola()
@pytest.mark.machine(cpus=2)
def test_on_another_machine(machine):
    pass
"""


@pytest.mark.parametrize("boot", ["auto", "cold"])
def test_no_more_than_a_few_boots_are_spent_on_it(checkout: Checkout, boot: str) -> None:
    checkout.suite(SUITE)
    checkout.fake.plan(boots=[{"fault": "kernel-panic"}])
    ran = checkout.run("--boot", boot, "--parallel", "2")
    tests = ran.report["tests"]
    assert len(tests) == 7
    assert {(test["kind"], test["cause"]) for test in tests} == {("guest", "kernel-panic")}
    reasons = [test["reason"] for test in tests if "none was made for this test" in test["reason"]]
    assert len(reasons) >= 3
    assert all("Attempted to kill init" in reason for reason in reasons)
    started = list(ran.output.rglob("qemu-command.txt"))
    assert len(started) <= 4
    assert "site-packages" not in ran.stdout, "no test's code was reached, so there is nothing to trace"
    told = ran.stdout[: ran.stdout.index("\n\nFAIL")]
    results = "\n".join(line for line in told.splitlines() if not line.startswith("NOTE"))
    assert results.count("(console line") == len(tests), "each says once why it failed"


def test_what_the_test_expects_is_not_held_against_it(checkout: Checkout) -> None:
    """A test that opts out of what went wrong still gets its machine."""
    checkout.suite("""
        @pytest.mark.kola()
        @pytest.mark.parametrize("number", range(3))
        def test_strict(machine, number):
            pass

        @pytest.mark.kola()
        @pytest.mark.machine(opt_out=["failed-unit"])
        def test_tolerant(machine):
            pass
    """)
    checkout.fake.plan(failed_units=["broken.service"])
    ran = checkout.run()
    assert ran.results["mine.tolerant"] == "PASS"
    assert {ran.results[f"mine.strict.{number}"] for number in range(3)} == {"FAIL"}


OUT_OF_MEMORY = {
    "match": "eats-memory",
    "status": 137,
    "journal": ["kernel: thing invoked oom-killer: gfp_mask=0xcc0, order=0"],
    "journal_late": ["kernel: Out of memory: Killed process 712 (eats-memory) total-vm:9999kB"],
}


def test_a_python_test_whose_command_the_kernel_killed_for_memory(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        def test_by_status(machine):
            machine.run("eats-memory").check()

        @pytest.mark.kola()
        def test_by_assertion(machine):
            assert machine.run("eats-memory").status == 0

        @pytest.mark.kola()
        def test_in_a_session(machine):
            with machine.connect() as session:
                assert session.run("eats-memory").status == 0

        @pytest.mark.kola()
        @pytest.mark.machine(opt_out=["oom-killer"])
        def test_on_purpose(machine):
            machine.run("eats-memory").check()
    """)
    checkout.fake.plan(commands=[OUT_OF_MEMORY])
    tests = {test["name"]: test for test in checkout.run("--boot", "cold").report["tests"]}
    for name in ("mine.by-status", "mine.by-assertion", "mine.in-a-session"):
        assert (tests[name]["kind"], tests[name]["cause"]) == ("guest", "oom-killer"), tests[name]
        assert "Killed process 712 (eats-memory)" in tests[name]["output"]
        assert '("eats-memory")' in tests[name]["output"], "the line of the author"
    assert (tests["mine.on-purpose"]["kind"], tests["mine.on-purpose"]["cause"]) == ("test", "command-failed")
