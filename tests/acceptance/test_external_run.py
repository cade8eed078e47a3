"""External tests through `kola run` on the stand-in: what kolet answers is what a plan says it does."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from fakes.checkout import Checkout, Ran
from fakes.lab import within
from fakes.steering import FakeQemu

from kola.external.reboot import ABANDONED

SCRIPT = "#!/bin/sh\n## kola:\n{}true\n"
WELL = "end ActiveState=active Result=success ExecMainCode=1 ExecMainStatus=0\n"


@pytest.fixture
def checkout(fake_qemu: FakeQemu, tmp_path: Path) -> Checkout:
    return Checkout(fake_qemu, tmp_path / "checkout")


def tree(checkout: Checkout, **tests: str) -> None:
    """Tests below `proj`, each with these lines of metadata."""
    top = checkout.root / "proj/tests/kola"
    top.mkdir(parents=True)
    for name, metadata in tests.items():
        (top / name).write_text(SCRIPT.format("".join(f"##   {line}\n" for line in metadata.splitlines())))
        (top / name).chmod(0o755)


def run(checkout: Checkout, *words: str) -> Ran:
    return checkout.run("-E", str(checkout.root / "proj"), "--boot", "cold", "ext.proj.*", *words)


def kolet(name: str, stdout: str, *, action: str = "start", **keys: Any) -> dict[str, Any]:
    return {"match": rf"run-unit {action} \S+ kola-runext-{name} ", "stdout": stdout} | keys


def ended(output: str, *, result: str = "exit-code", code: int = 1, status: int = 0) -> str:
    return f"end ActiveState=failed Result={result} ExecMainCode={code} ExecMainStatus={status}\n{output}"


def entry(ran: Ran, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(test for test in ran.report["tests"] if test["name"] == name)
    return found


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


def test_a_reboot_hands_the_mark_to_the_next_start(checkout: Checkout) -> None:
    tree(checkout, again="")
    mark = base64.b64encode(b'a "mark"').decode()
    checkout.fake.plan(
        commands=[
            kolet("again", f"reboot hard {mark} 1\nfirst boot\n", times=1),
            kolet("again", WELL + "second boot\n"),
            {"match": "kolet acknowledge", "then": "reboot"},
        ]
    )
    ran = run(checkout)
    assert ran.results == {"ext.proj.again": "PASS"}
    [output] = checkout.output.glob("ext.proj.again/*/kola-runext-again.txt")
    assert output.read_text() == "first boot\nsecond boot\n"


def test_a_soft_reboot_keeps_the_kernel_and_starts_userspace_anew(checkout: Checkout) -> None:
    tree(checkout, soft="")
    mark = base64.b64encode(b"softly").decode()
    checkout.fake.plan(
        boots=[{}, {"keep_boot_id": True}],
        commands=[
            kolet("soft", f"reboot soft {mark} 100\n", times=1),
            kolet("soft", WELL),
            {"match": "kolet acknowledge", "then": "reboot"},
            {"match": "basic.target", "stdout": "200\n"},
        ],
    )
    assert run(checkout).results == {"ext.proj.soft": "PASS"}


def test_a_reboot_that_does_not_come_is_the_tests_failure(checkout: Checkout) -> None:
    tree(checkout, stays="timeoutMin: 1")
    mark = base64.b64encode(b"never").decode()
    checkout.fake.plan(commands=[kolet("stays", f"reboot hard {mark} 1\nI will\n")])
    stays = entry(run(checkout, "--extend-timeout-percentage", "-90"), "ext.proj.stays")
    assert stays["cause"] == "unexpected-reboot"
    assert "did not happen" in stays["reason"]


@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_test_that_ends_without_the_reboot_it_prepared_fails_at_once(checkout: Checkout, kind: str) -> None:
    tree(checkout, stays="")
    mark = base64.b64encode(b"never").decode()
    left = {"match": "kolet acknowledge", "journal": [ABANDONED]}
    checkout.fake.plan(commands=[kolet("stays", f"reboot {kind} {mark} 1\nI will\n"), left])
    with within(40):
        stays = entry(run(checkout), "ext.proj.stays")
    assert stays["cause"] == "unexpected-reboot"
    assert stays["reason"] == f"the reboot the test asked for did not happen: {ABANDONED}"


UNASKED = {
    "orderly": {"then": "reboot"},
    "sudden": {"then": "reset"},
    "announced": {"journal": ["systemd-logind: System is rebooting."]},
    "powered off": {"journal": ["systemd-logind: The system will power off now!"]},
}


@pytest.mark.parametrize("way", UNASKED)
def test_a_machine_that_goes_down_unasked_is_noticed_at_once(checkout: Checkout, way: str) -> None:
    tree(checkout, gone="")
    never_back = [{}, {"fault": "silence"}]
    checkout.fake.plan(boots=never_back, commands=[kolet("gone", "", hang=True, **UNASKED[way])])
    with within(40):
        gone = entry(run(checkout), "ext.proj.gone")
    assert (gone["kind"], gone["cause"]) == ("test", "unexpected-reboot")
    assert "without being asked to" in gone["reason"]


def test_a_lost_connection_is_taken_up_again(checkout: Checkout) -> None:
    tree(checkout, cut="")
    checkout.fake.plan(
        commands=[
            kolet("cut", "", hang=True, then="drop"),
            kolet("cut", WELL + "still there\n", action="watch"),
        ]
    )
    assert run(checkout).results == {"ext.proj.cut": "PASS"}


def test_a_test_that_hangs_is_asked_for_its_last_words(checkout: Checkout) -> None:
    tree(checkout, hangs="timeoutMin: 1")
    checkout.fake.plan(
        commands=[
            kolet("hangs", "", hang=True),
            kolet("hangs", ended("about to hang\n", result="success", code=0), action="report"),
        ]
    )
    ran = run(checkout, "--extend-timeout-percentage", "-95")
    hung = entry(ran, "ext.proj.hangs")
    assert (hung["result"], hung["kind"]) == ("FAIL", "timeout")
    assert hung["output"].startswith("about to hang\n")
    assert "last seen: about to hang" in hung["reason"]


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
