"""`--verify-clones`: a run in which a clone and a cold machine say different things has failed."""

from __future__ import annotations

from fakes.checkout import Checkout


def test_a_disagreement_fails_a_run_whose_tests_all_passed(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        @pytest.mark.parametrize("letter", ["a"])
        def test_only_in_clones(machine, letter):
            assert machine.how == "clone"
    """)
    ran = checkout.run("--verify-clones")
    assert ran.results == {"mine.only-in-clones.a": "PASS"}
    (found,) = ran.report["clones"]
    assert (found["clone"], found["cold"], found["agrees"]) == ("PASS", "FAIL", False)
    assert (ran.output / found["machines"][0] / "console.txt").exists()
    assert ran.status == ran.report["exit_code"] == 1
    assert "mine.only-in-clones.a passed in a clone and failed cold: test: assertion" in ran.stdout
    assert ran.stdout.rstrip().splitlines()[-1] == f"FAIL, output in {ran.output}"
    assert ran.stdout.count("output in ") == 1


def test_clones_that_agree_are_counted(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        def test_anywhere(machine):
            assert machine.run("true").ok

        @pytest.mark.kola()
        @pytest.mark.machine(boot="cold")
        def test_cold(machine):
            pass
    """)
    ran = checkout.run("--verify-clones")
    assert [(one["name"], one["agrees"]) for one in ran.report["clones"]] == [("mine.anywhere", True)]
    assert "1 of 1 verified with a cold boot agree" in ran.stdout
    assert (ran.status, ran.report["tests"][0]["boot"]) == (0, ["clone"])
