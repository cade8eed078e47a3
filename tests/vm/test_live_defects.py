"""Defects planted in live media: the scenario that claims a defect catches it, no unrelated one fails.

A machine with too little memory says so. `make faults` (KOLA_FAULTS=all) runs all this, in half an hour.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import livedefects
import pytest
from kolarun import kola_run
from livedefects import Defect

pytestmark = [
    pytest.mark.vm,
    pytest.mark.skipif(os.environ.get("KOLA_FAULTS") != "all", reason="takes half an hour: make faults"),
]

FILE, KARGS, NETWORK, DISK = (
    f"iso-prompt.{name}" for name in ("install-file", "kernel-arguments", "copy-network", "disk-left-alone")
)
LOGIN, AS_DISK, OFFLINE = "iso-live-login.bios", "iso-as-disk.bios", "iso-offline-install.bios"
PXE = "pxe-offline-install.bios"


@dataclass(frozen=True)
class Case:
    """`caught` fails and says `said`; `others` pass."""

    defect: Defect
    caught: str
    said: str
    others: tuple[str, ...]


CASES = {
    "writes-nothing": Case(livedefects.WRITES_NOTHING, FILE, "mount", (DISK,)),
    "ignition-lost": Case(livedefects.IGNITION_LOST, FILE, "ignition/config.ign", (KARGS, NETWORK, DISK)),
    "arguments-lost": Case(livedefects.ARGUMENTS_LOST, KARGS, "kola.added=1", (FILE, NETWORK, DISK)),
    "keyfile-lost": Case(livedefects.KEYFILE_LOST, NETWORK, "static.nmconnection", (FILE, KARGS, DISK)),
    "touches-the-disk": Case(livedefects.TOUCHES_THE_DISK, DISK, "== 0", (FILE, KARGS)),
    "logs-in": Case(livedefects.LOGS_IN, AS_DISK, "logs in by itself", (LOGIN,)),
    "no-boot-loader": Case(livedefects.NO_BOOT_LOADER, OFFLINE, "installed system up", (FILE,)),
    "success-too-early": Case(livedefects.SUCCESS_TOO_EARLY, OFFLINE, "signal-too-early", (FILE,)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_defect_is_caught(live_reference: Path, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    build = livedefects.plant(live_reference, tmp_path / "build", case.defect)
    _assert_caught(build, tmp_path, case.caught, case.said, case.others)


def test_a_rootfs_of_another_build_is_caught(live_reference: Path, tmp_path: Path) -> None:
    build = livedefects.plant_strange_rootfs(live_reference, tmp_path / "build")
    _assert_caught(build, tmp_path, PXE, "rootfs-mismatch", (LOGIN,))


def test_too_little_memory_is_named(live_reference: Path, tmp_path: Path) -> None:
    outcome = kola_run(
        live_reference, tmp_path / "out", "--qemu-memory", "144", LOGIN, command="testiso", timeout=1800
    )
    assert outcome.failed() == {LOGIN}, outcome.printed
    assert "memory" in outcome.tests[LOGIN]["cause"], outcome.why(LOGIN)


def _assert_caught(build: Path, tmp_path: Path, caught: str, said: str, others: tuple[str, ...]) -> None:
    outcome = kola_run(
        build, tmp_path / "out", "--parallel", "2", caught, *others, command="testiso", timeout=1800
    )
    assert outcome.failed() == {caught}, outcome.printed
    assert set(outcome.tests) == {caught, *others}
    assert said in outcome.why(caught), outcome.why(caught)
