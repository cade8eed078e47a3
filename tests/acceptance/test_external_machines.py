"""External tests that reboot, lose or end their machine, on the stand-in."""

from __future__ import annotations

import base64

import pytest
from fakes.checkout import Checkout
from fakes.external import SHORT, WELL, ended, entry, kolet, run, tree
from fakes.lab import within

from harness.platform.parts.accel import SCALE_VARIABLE
from kola.shell.reboot import ABANDONED


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graces that a real guest is given are a fifth: the stand-in needs no more."""
    monkeypatch.setenv(SCALE_VARIABLE, "0.2")


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
    stays = entry(run(checkout, env=SHORT), "ext.proj.stays")
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
}
POWERED_OFF = {
    "announced": {"journal": ["systemd-logind: The system will power off now!"]},
    "at once": {"then": "poweroff"},
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


@pytest.mark.parametrize("way", POWERED_OFF)
def test_a_test_that_powers_its_machine_off_is_to_blame_for_it(checkout: Checkout, way: str) -> None:
    tree(checkout, off="")
    checkout.fake.plan(commands=[kolet("off", "", hang=True, **POWERED_OFF[way])])
    off = entry(run(checkout), "ext.proj.off")
    assert (off["kind"], off["cause"], off["attempts"]) == ("test", "powered-off", 1)
    assert off["reason"].startswith("the test powered the machine off")


OOM = "Out of memory: Killed process 712 (helper) total-vm:1024kB, anon-rss:512kB"
ENDINGS = {
    "by systemd": "end ActiveState=failed Result=oom-kill ExecMainCode=2 ExecMainStatus=15\n",
    "by the kernel": "end ActiveState=failed Result=signal ExecMainCode=2 ExecMainStatus=9\n",
    "a helper": "end ActiveState=failed Result=exit-code ExecMainCode=1 ExecMainStatus=137\nKilled\n",
}


@pytest.mark.parametrize("way", ENDINGS)
def test_the_oom_killer_is_named_with_the_kernels_line(checkout: Checkout, way: str) -> None:
    tree(checkout, greedy="")
    said = ["kernel: helper invoked oom-killer: gfp_mask=0xcc0, order=0", f"kernel: {OOM}"]
    checkout.fake.plan(commands=[kolet("greedy", ENDINGS[way], journal=said)])
    greedy = entry(run(checkout), "ext.proj.greedy")
    assert (greedy["kind"], greedy["cause"]) == ("guest", "oom-killer")
    assert OOM in greedy["reason"]


SHELLS = {
    "said in the journal": {"journal": ["systemd[1]: Reached target emergency.target - Emergency Mode."]},
    "seen on the console": {"console": ["You are in rescue mode. After logging in, type journalctl -xb."]},
}


@pytest.mark.parametrize("way", SHELLS)
@pytest.mark.parametrize("ended", ["", ENDINGS["by the kernel"]])
def test_the_emergency_shell_is_named_and_not_the_test_it_ended(
    checkout: Checkout, way: str, ended: str
) -> None:
    tree(checkout, isolates="")
    checkout.fake.plan(commands=[kolet("isolates", ended, hang=not ended, **SHELLS[way])])
    isolates = entry(run(checkout), "ext.proj.isolates")
    assert (isolates["kind"], isolates["cause"]) == ("guest", "emergency-shell")


LOST = {
    "sshd-not-running": "ssh.service: Deactivated successfully.",
    "ssh-lost": "ssh.service: Main process exited, code=killed, status=9/KILL",
}


@pytest.mark.parametrize("name", LOST)
def test_an_sshd_that_does_not_come_back_is_named(checkout: Checkout, hasty: None, name: str) -> None:
    """Nothing says that the machine went down, so nobody claims it."""
    tree(checkout, alone="")
    said = {"journal": [f"systemd: {LOST[name]}"], "then": "sshd-stops"}
    checkout.fake.plan(commands=[kolet("alone", "", hang=True, **said)])
    alone = entry(run(checkout), "ext.proj.alone")
    assert (alone["kind"], alone["cause"]) == ("guest", name)
    assert LOST[name] in alone["reason"]


def test_a_guest_that_does_not_answer_any_more_is_named_with_its_load(
    checkout: Checkout, hasty: None
) -> None:
    tree(checkout, bomb="")
    load = "812.40 300.01 99.00 1/6021 6021"
    starving = {"stderr": f"load {load}\n", "console": ["the last line"], "then": "starve"}
    watching = kolet("bomb", "", action="watch", hang=True)
    checkout.fake.plan(commands=[kolet("bomb", "", hang=True, **starving), watching])
    bomb = entry(run(checkout), "ext.proj.bomb")
    assert (bomb["kind"], bomb["cause"]) == ("guest", "guest-unresponsive")
    assert "does not answer any more" in bomb["reason"]
    assert load in bomb["reason"]
    assert "the last line" in bomb["reason"]


def test_a_guest_with_an_absurd_load_that_still_answers_goes_on(checkout: Checkout) -> None:
    tree(checkout, busy="")
    checkout.fake.plan(
        commands=[
            kolet("busy", "", hang=True, stderr="load 812.40 300.01 99.00 1/6021 6021\n"),
            kolet("busy", WELL + "still there\n", action="watch"),
        ]
    )
    assert run(checkout).results == {"ext.proj.busy": "PASS"}


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
    ran = run(checkout, env=SHORT)
    hung = entry(ran, "ext.proj.hangs")
    assert (hung["result"], hung["kind"]) == ("FAIL", "timeout")
    assert hung["output"].startswith("about to hang\n")
    assert "last seen: about to hang" in hung["reason"]
