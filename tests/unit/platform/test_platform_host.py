"""The host: accelerator, firmware, and disks that exist only as descriptors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fakes.steering import FakeQemu

from harness.errors import ConfigError, InfrastructureError
from harness.machine.spec import Firmware
from harness.platform.base import SCALE_VARIABLE
from harness.platform.parts import accel, descriptors, disks, firmware
from harness.platform.parts.accel import Accelerator, proven
from harness.platform.parts.firmware import FirmwareFiles

SIZE_AT = 24


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, fake_qemu: FakeQemu) -> list[str]:
    """The accelerators that were tried; only tcg runs a guest."""
    tried: list[str] = []

    def tiny_guest(arch: str, name: str, cpu: str, *, timeout: float) -> float:
        tried.append(name)
        if name == "kvm":
            raise InfrastructureError("kvm: QEMU exited with status 1", cause="no-accelerator")
        return 0.5

    monkeypatch.delenv("COSA_NO_KVM", raising=False)
    monkeypatch.delenv("KOLA_ACCEL", raising=False)
    monkeypatch.delenv(SCALE_VARIABLE, raising=False)
    monkeypatch.setattr(accel, "_run_tiny_guest", tiny_guest)
    return tried


def test_the_answer_is_asked_for_once_in_a_boot_of_the_host(runs: list[str], fake_qemu: FakeQemu) -> None:
    first = proven()
    assert runs == ["kvm", "tcg"]
    assert proven() == first
    assert runs == ["kvm", "tcg", "tcg"], "how slow it is was measured again"
    (kept,) = (fake_qemu.cache / "kola/accelerator").glob("*.json")
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps(content | {"key": "another boot"}))
    assert proven() == first
    assert runs == ["kvm", "tcg", "tcg", "kvm", "tcg"]


@pytest.mark.parametrize("spoiled", ["", "{", "[]", '{"key": 1}'])
def test_a_spoiled_answer_is_asked_for_again(runs: list[str], fake_qemu: FakeQemu, spoiled: str) -> None:
    first = proven()
    (kept,) = (fake_qemu.cache / "kola/accelerator").glob("*.json")
    kept.write_text(spoiled)
    assert proven() == first


@pytest.mark.parametrize("name", ["COSA_NO_KVM", "KOLA_ACCEL"])
def test_the_environment_forbids_kvm(runs: list[str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "tcg")
    found = proven()
    assert (found.name, runs) == ("tcg", ["tcg"])
    assert "switched off" in found.note


def test_emulation_says_why_and_stretches_deadlines(runs: list[str]) -> None:
    found = proven()
    assert found.name == "tcg"
    assert found.argument == "tcg,thread=multi,tb-size=256"
    assert found.note
    assert found.scale == pytest.approx(4.0), "twice, and as much again as the probe was slower"


@pytest.mark.parametrize(("seconds", "scale"), [(0.1, 2.0), (0.25, 2.0), (0.3, 2.4), (60.0, 4.0)])
def test_the_factor_has_a_floor_and_a_cap(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, seconds: float, scale: float
) -> None:
    monkeypatch.setenv("KOLA_ACCEL", "tcg")
    monkeypatch.setattr(accel, "_run_tiny_guest", lambda *args, **keys: seconds)
    assert proven().scale == scale


def test_the_factor_may_be_given(runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SCALE_VARIABLE, "7.5")
    assert proven().scale == 7.5
    assert runs == ["kvm"], "nothing is left to measure"


@pytest.mark.parametrize("text", ["fast", "0", "-1", "1e9", "nan"])
def test_a_factor_that_is_none_is_quoted_back(
    runs: list[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(SCALE_VARIABLE, text)
    with pytest.raises(ConfigError, match=f"{SCALE_VARIABLE}='{text}'"):
        proven()


def test_waiting_is_not_slowness(fake_qemu: FakeQemu) -> None:
    """A tiny guest that waits for the host's processors costs no CPU time meanwhile."""
    used = accel._run_tiny_guest("x86_64", "tcg", "max", timeout=60)
    assert 0 <= used < 30


def test_the_probe_itself_runs_a_guest(fake_qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLA_ACCEL", "tcg")
    assert proven().name == "tcg"
    with pytest.raises(InfrastructureError) as caught:
        accel._run_tiny_guest("x86_64", "kvm", "host", timeout=10)
    assert caught.value.cause == "no-accelerator"
    assert fake_qemu.launches == [], "a probe is no machine"


def test_another_architecture_is_emulated_slowly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "qemu-system-aarch64"
    binary.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COSA_NO_KVM", "1")
    found = proven("aarch64")
    assert (found.name, found.scale > 2) == ("tcg", True)
    assert found.cpu == "max,pauth-impdef=on", "signing by the other cipher makes a boot 2.6 times as long"
    with pytest.raises(ConfigError, match="m68k"):
        proven("m68k")


def test_kvm_is_named_without_threads() -> None:
    assert Accelerator("kvm", "host", 1.0).argument == "kvm"


def test_the_first_firmware_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = FirmwareFiles(tmp_path / "code", tmp_path / "vars", "b")
    here.code.write_bytes(b"code")
    here.variables.write_bytes(b"variables")
    monkeypatch.setattr(descriptors, "_directories", tuple)
    monkeypatch.setattr(firmware, "_OVMF", [FirmwareFiles(tmp_path / "no", tmp_path / "no", "a"), here])
    assert firmware.find(Firmware.UEFI, "x86_64") == here
    assert firmware.find(Firmware.BIOS, "x86_64") is None
    copy = firmware.private_variables(here)
    os.pwrite(copy, b"CHANGED", 0)
    os.close(copy)
    assert here.variables.read_bytes() == b"variables"


def test_firmware_that_does_not_exist_for_it_says_what_would() -> None:
    with pytest.raises(ConfigError, match="aarch64 has no bios firmware") as caught:
        firmware.find(Firmware.BIOS, "aarch64")
    assert caught.value.hint == "use --qemu-firmware uefi"


def test_an_overlay_is_a_file_without_a_name(fake_qemu: FakeQemu) -> None:
    descriptor = disks.create_overlay(fake_qemu.image, "qcow2")
    try:
        assert os.pread(descriptor, 4, 0) == b"QFI\xfb"
        assert os.fstat(descriptor).st_nlink == 0
        assert list(fake_qemu.scratch.iterdir()) == []
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("size", "expected"), [("+1M", 11 << 20), ("20M", 20 << 20)])
def test_the_primary_disk_grows_to_or_by_a_size(fake_qemu: FakeQemu, size: str, expected: int) -> None:
    descriptor = disks.create_overlay(fake_qemu.image, "qcow2", size)
    try:
        assert int.from_bytes(os.pread(descriptor, 8, SIZE_AT), "big") == expected
    finally:
        os.close(descriptor)


def test_a_disk_never_shrinks(fake_qemu: FakeQemu) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ConfigError, match="may only grow") as caught:
        disks.create_overlay(fake_qemu.image, "qcow2", "1M")
    assert caught.value.file == fake_qemu.image
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_tool_that_fails_for_another_reason_is_no_fault_of_the_users(
    fake_qemu: FakeQemu, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(argv: list[str], **more: object) -> bytes:
        raise InfrastructureError("qemu-img failed", cause="host-tool-failed", evidence="No space left")

    monkeypatch.setattr(disks, "run_tool", no_space)
    with pytest.raises(InfrastructureError, match="No space left"):
        disks.create_overlay(fake_qemu.image, "qcow2", "20M")


def test_an_empty_disk_takes_no_space() -> None:
    descriptor = disks.create_empty(3)
    try:
        status = os.fstat(descriptor)
        assert (status.st_size, status.st_blocks) == (3 << 30, 0)
    finally:
        os.close(descriptor)
