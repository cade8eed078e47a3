"""External tests that share a machine, on the stand-in."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from fakes.checkout import Checkout
from fakes.external import SCRIPT, WELL, ended, entry, kolet, run, tree

SHARED = "exclusive: false"
BUCKET = "non-exclusive-test-bucket-0"


def test_a_bucket_is_one_machine_and_a_verdict_for_each(checkout: Checkout) -> None:
    tree(checkout, one=SHARED, two=SHARED, three=f"{SHARED}\nconflicts: [ext.proj.one]", own="")
    checkout.fake.plan(
        commands=[
            kolet("one", WELL),
            kolet("two", ended("no\n", status=1)),
            kolet("three", WELL),
            kolet("own", WELL),
        ]
    )
    ran = run(checkout, "--isolation", "bucket")
    assert ran.results == {
        f"{BUCKET}/ext.proj.one": "PASS",
        f"{BUCKET}/ext.proj.two": "FAIL",
        BUCKET: "FAIL",
        "ext.proj.three": "PASS",
        "ext.proj.own": "PASS",
    }
    assert entry(ran, BUCKET)["subtests"] == ["ext.proj.one", "ext.proj.two"]
    assert entry(ran, BUCKET)["reason"] == "1 of 2 failed: ext.proj.two"
    shown = re.findall(r"^ *--- \w+: (\S+) ", ran.stdout, re.MULTILINE)
    of_bucket = [f"{BUCKET}/ext.proj.one", f"{BUCKET}/ext.proj.two", BUCKET]
    assert [name for name in shown if name.startswith(BUCKET)] == of_bucket, "each as it ends, and once"
    cases = ET.parse(checkout.output / "reports/junit.xml").iter("testcase")
    assert {case.get("name") for case in cases} == {
        f"ext.proj.{name}" for name in ("one", "two", "three", "own")
    }
    assert len(checkout.fake.launches) >= 3
    [directory] = (checkout.output / BUCKET).iterdir()
    assert {path.name for path in directory.glob("kola-runext-*")} == {
        "kola-runext-one.txt",
        "kola-runext-two.txt",
    }


def test_a_member_that_takes_the_machine_down_does_not_take_the_others(checkout: Checkout) -> None:
    tree(checkout, a=SHARED, b=SHARED, c=SHARED)
    checkout.fake.plan(commands=[kolet("a", WELL), kolet("b", "", hang=True, then="panic"), kolet("c", WELL)])
    ran = run(checkout, "--isolation", "bucket")
    assert ran.results == {
        f"{BUCKET}/ext.proj.a": "PASS",
        f"{BUCKET}/ext.proj.b": "FAIL",
        f"{BUCKET}/ext.proj.c": "PASS",
        BUCKET: "FAIL",
    }
    assert entry(ran, f"{BUCKET}/ext.proj.b")["cause"] == "kernel-panic"
    assert len(list((checkout.output / BUCKET).iterdir())) == 2


def test_a_member_whose_machine_is_lost_gets_another_try(checkout: Checkout) -> None:
    tree(checkout, a=SHARED, b=SHARED)
    dying = {"commands": [kolet("a", WELL), kolet("b", "", hang=True, then="exit")]}
    well = {"commands": [kolet("a", WELL), kolet("b", WELL)]}
    checkout.fake.sequence(dying, well)
    ran = run(checkout, "--isolation", "bucket")
    assert ran.results == {
        f"{BUCKET}/ext.proj.a": "PASS",
        f"{BUCKET}/ext.proj.b": "PASS",
        BUCKET: "PASS",
    }
    assert entry(ran, f"{BUCKET}/ext.proj.b")["attempts"] == 2


def test_a_bad_config_is_the_error_of_its_own_member(checkout: Checkout) -> None:
    tree(checkout, a=SHARED, b=SHARED)
    directory = checkout.root / "proj/tests/kola/deep"
    directory.mkdir()
    (directory / "c").write_text(SCRIPT.format(f"##   {SHARED}\n"))
    (directory / "c").chmod(0o755)
    (directory / "config.ign").write_text("not json")
    checkout.fake.plan(commands=[kolet("a", WELL), kolet("b", WELL)])
    ran = run(checkout, "--isolation", "bucket")
    assert ran.results == {
        f"{BUCKET}/ext.proj.a": "PASS",
        f"{BUCKET}/ext.proj.b": "PASS",
        f"{BUCKET}/ext.proj.deep.c": "FAIL",
        BUCKET: "FAIL",
    }
    assert entry(ran, f"{BUCKET}/ext.proj.deep.c")["kind"] == "config"
