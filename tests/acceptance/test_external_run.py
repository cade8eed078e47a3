"""External tests through `kola run` on the stand-in: kolet answers as a plan says."""

from __future__ import annotations

import os

import pytest
from fakes.checkout import Checkout
from fakes.external import WELL, ended, entry, kolet, run, tree


def test_each_outcome_is_told_apart(checkout: Checkout) -> None:
    tree(checkout, well="", fails="", killed="", skips="skipOn77: true", strict="", dies="", lost="")
    checkout.fake.plan(
        commands=[
            kolet("well", WELL + "hello\n"),
            kolet("fails", ended("so far\n", status=3), stderr="the unit's status\n"),
            kolet("killed", ended("", result="signal", code=2, status=11)),
            kolet("skips", ended("why\nno such thing here\n", status=77)),
            kolet("strict", ended("why\n", status=77)),
            kolet("dies", "", hang=True, then="panic"),
            kolet("lost", "", status=127, stderr="sh: tar: not found\n"),
        ]
    )
    ran = run(checkout)
    causes = {
        test["name"].removeprefix("ext.proj."): (test["result"], test["cause"])
        for test in ran.report["tests"]
    }
    assert causes == {
        "well": ("PASS", ""),
        "fails": ("FAIL", "nonzero-exit"),
        "killed": ("FAIL", "killed-by-signal"),
        "skips": ("SKIP", ""),
        "strict": ("FAIL", "nonzero-exit"),
        "dies": ("FAIL", "kernel-panic"),
        "lost": ("FAIL", "test-not-started"),
    }
    assert ran.status == 1
    assert "killed by SIGSEGV" in entry(ran, "ext.proj.killed")["reason"]
    assert entry(ran, "ext.proj.skips")["reason"] == "no such thing here"
    failed = entry(ran, "ext.proj.fails")["output"]
    assert failed.startswith("so far\n")
    assert failed.count("the unit's status") == 1
    [output] = checkout.output.glob("ext.proj.well/*/kola-runext-well.txt")
    assert output.read_text() == "hello\n"


def test_a_broken_test_fails_alone_and_says_where(checkout: Checkout) -> None:
    tree(checkout, well="", broken="exclusiv: false")
    (checkout.root / "proj/tests/kola/nowhere").symlink_to("gone")
    checkout.fake.plan(commands=[kolet("well", WELL)])
    ran = run(checkout)
    assert ran.results == {
        "ext.proj.well": "PASS",
        "ext.proj.broken": "FAIL",
        "ext.proj.nowhere": "FAIL",
    }
    broken = entry(ran, "ext.proj.broken")
    assert (broken["kind"], broken["machines"]) == ("config", [])
    assert "broken:3: unknown key 'exclusiv'" in broken["reason"]


def test_multiply_numbers_the_copies(checkout: Checkout) -> None:
    tree(checkout, well="")
    checkout.fake.plan(commands=[kolet("well", WELL)])
    assert run(checkout, "--multiply", "2").results == {"ext.proj.well0": "PASS", "ext.proj.well1": "PASS"}


def test_pytests_own_choice_works_by_name_and_by_tag(checkout: Checkout) -> None:
    tree(checkout, one="tags: slow-one", two="tags: other")
    checkout.fake.plan(commands=[kolet("one", WELL), kolet("two", WELL)])
    assert "ext.proj.one" in run(checkout, "--pytest-args", "-m slow-one").results
    assert "ext.proj.two" not in run(checkout, "--pytest-args", "-m slow-one").results
    assert list(run(checkout, "--pytest-args", "-k 'two and not one'").results) == ["ext.proj.two"]


def test_a_file_name_that_is_not_utf8_is_one_broken_test(checkout: Checkout) -> None:
    tree(checkout, well="", **{os.fsdecode(b"\xb2\xe2"): ""})
    checkout.fake.plan(commands=[kolet("well", WELL)])
    ran = run(checkout, "--parallel", "2")
    assert ran.status == 1
    assert entry(ran, "ext.proj.well")["result"] == "PASS"
    broken = entry(ran, "ext.proj.%B2%E2")
    assert broken["result"] == "FAIL"
    assert "is not UTF-8" in broken["reason"]
    assert "INTERNALERROR" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("isolation", ["machine", "bucket"])
def test_an_unused_key_of_config_ign_is_shown_under_the_pass(checkout: Checkout, isolation: str) -> None:
    tree(checkout, stamped="exclusive: false", other="exclusive: false")
    (checkout.root / "proj/tests/kola/config.ign").write_text(
        '{"ignition": {"version": "3.0.0"}, "storage": {"files": [{"path": "/etc/a", "filesystem": "root"}]}}'
    )
    checkout.fake.plan(commands=[kolet("stamped", WELL), kolet("other", WELL)])
    ran = run(checkout, f"--isolation={isolation}")
    assert ran.status == 0
    assert ran.stdout.count("config.ign: warning at $.storage.files.0.filesystem: unused key filesystem") == 2
