"""The install scenarios as `kola run` runs them: a live ISO in miniature, and a QEMU that plays the guest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import transcripts as said
from artifact_files import ARCH, build_root, image, qcow2, raw_disk, write_meta
from fakes.checkout import Checkout, Ran
from isolab import live_iso, needs_xorriso

import testsuites

pytestmark = needs_xorriso

COMPLETION = "port testisocompletion"
LIVE_UP = [said.MENU, said.INITRAMFS, said.SWITCH_ROOT, f"{COMPLETION} {said.LIVE_SIGNAL}", "pause 0.5"]
INSTALLS = {"console": [*LIVE_UP, said.INSTALLING, said.COMPLETE, said.RESTART, "pause 0.5"], "then": "reset"}


def stalls(*console: str) -> dict[str, Any]:
    """A boot that says this and nothing more."""
    return {"console": console, "fault": "stall"}


INSTALLED = stalls(said.INITRAMFS, f"{COMPLETION} {said.INSTALLED_SIGNAL}")


@pytest.fixture
def build(checkout: Checkout, tmp_path: Path) -> Path:
    """A build directory with a live ISO and a metal image, in a checkout with the suite under test."""
    suites = checkout.root / "testsuites"
    ours = Path(testsuites.__file__).parent
    shutil.copytree(ours / "iso", suites / "iso", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "promises.toml"):
        shutil.copy(ours / name, suites / name)
    root = build_root(tmp_path / "work", {"1": (ARCH,)})
    home = root / "builds/1" / ARCH
    images = {
        "qemu": image(home, "nestos-1-qemu.qcow2", qcow2(4096)),
        "live-iso": image(home, "nestos-1-live.iso", live_iso(tmp_path).read_bytes()),
        "metal": image(home, "nestos-1-metal.raw", raw_disk()),
    }
    write_meta(home, "1", images)
    return root


def run(checkout: Checkout, build: Path, *words: str, boots: list[dict[str, Any]]) -> Ran:
    checkout.fake.plan(boots=boots)
    return checkout.run("--workdir", str(build), *words, image=False)


def test_a_live_system_that_logs_in(checkout: Checkout, build: Path) -> None:
    greeting = ["Welcome to the NestOS live environment.", "[nest@localhost ~]$ "]
    boot = stalls(*LIVE_UP[:3], *greeting, "port nestos.liveiso-success nestos-liveiso-success")
    ran = run(checkout, build, "iso-live-login.bios", boots=[boot])
    assert ran.results == {"iso-live-login.bios": "PASS"}, ran.stdout + ran.stderr
    stages = next(ran.output.rglob("stages.txt")).read_text()
    assert stages.splitlines()[0].startswith("firmware")


def test_an_installation(checkout: Checkout, build: Path) -> None:
    ran = run(checkout, build, "iso-offline-install.bios", boots=[INSTALLS, INSTALLED])
    assert ran.results == {"iso-offline-install.bios": "PASS"}, ran.stdout + ran.stderr
    command = next(ran.output.rglob("qemu-command.txt")).read_text()
    assert "ide-cd" in command


def failure(ran: Ran) -> str:
    (test,) = ran.report["tests"]
    assert test["result"] == "FAIL"
    return str(test["output"])


@pytest.mark.parametrize(
    ("boots", "expected"),
    [
        (
            [stalls(*LIVE_UP, 'Error: getting absolute path to "/dev/vda"', "Error: install failed")],
            ["stage install started: Error: getting absolute path"],
        ),
        ([INSTALLS, stalls(said.MENU)], ["stage installed system up: ISOLINUX", "image written"]),
        (
            [INSTALLS, stalls(f"{COMPLETION} check-failed: test ! -e /boot/ignition")],
            ["stage installed system up: check-failed: test ! -e /boot/ignition"],
        ),
        ([{"console": [said.MENU], "fault": "kernel-panic"}], ["stage kernel: ", "Kernel panic"]),
    ],
)
def test_a_failure_names_its_stage(
    checkout: Checkout, build: Path, boots: list[dict[str, Any]], expected: list[str]
) -> None:
    output = failure(run(checkout, build, "iso-offline-install.bios", boots=boots))
    for text in expected:
        assert text in output


def test_success_that_is_signalled_without_an_installation(checkout: Checkout, build: Path) -> None:
    """The live system's own words are not enough: the signals have to come in order."""
    early = stalls(*LIVE_UP, f"{COMPLETION} {said.INSTALLED_SIGNAL}")
    assert "came before its reboot" in failure(
        run(checkout, build, "iso-offline-install.bios", boots=[early])
    )


def test_scenarios_without_their_artifact_are_left_out_with_the_reason(
    checkout: Checkout, build: Path
) -> None:
    ran = run(checkout, build, "pxe-offline-install.bios", "iso-offline-install-fromram.4k.uefi", boots=[{}])
    assert set(ran.results.values()) == {"SKIP"}
    assert "build 1 has no live-kernel, live-initramfs, live-rootfs (nosa" in ran.stdout
    assert "build 1 has no metal4k" in ran.stdout, ran.stdout


def test_kola_testiso_takes_the_names_of_upstream_and_an_iso_alone(checkout: Checkout, build: Path) -> None:
    checkout.fake.plan(boots=[stalls(*LIVE_UP, "localhost login: ")])
    iso = build / "builds/1" / ARCH / "nestos-1-live.iso"
    words = ("--qemu-iso", str(iso), "iso.iso-as-disk.bios", "iso-offline-install.bios")
    ran = checkout.run(*words, command="testiso", image=False)
    expected = {"iso-as-disk.bios": "PASS", "iso-offline-install.bios": "SKIP"}
    assert ran.results == expected, ran.stdout + ran.stderr
    assert "needs a build directory with metal" in ran.stdout


def test_kola_testiso_without_a_build(checkout: Checkout, tmp_path: Path) -> None:
    empty = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    ran = checkout.run("--smoke", command="testiso", image=False, env=empty)
    assert ran.status == 2
    assert "no reference OS with live media in the cache" in ran.stderr
    assert "kola reference build --live" in ran.stderr
