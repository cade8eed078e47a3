"""Machine markers become machine requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.machine.boot import DiskImage
from harness.machine.machine import Machine
from harness.machine.spec import Firmware, MachineSpec
from kola.machines import MachineRequest, request_from_markers
from kola.machines.broken import BrokenBoots
from kola.machines.request import Verbatim

CONFIG = {"ignition": {"version": "3.3.0"}}


def asked(**words: Any) -> MachineRequest:
    return request_from_markers(
        MachineSpec(DiskImage(Path("image"))), [words], source=Path("test_it.py"), line=7
    )


def test_a_config_is_merged_and_the_machine_can_be_entered() -> None:
    request = asked(ignition=CONFIG, boot="clone")
    assert request.ignition == IgnitionConfig.from_dict(CONFIG)
    assert (request.boot, request.verbatim, request.console_only) == ("clone", None, False)


def prepared(machine: Machine) -> None:
    pass


def test_a_preparation_is_known_by_its_name_and_its_file() -> None:
    one, again = asked(prepare=prepared).prepare, asked(prepare=prepared).prepare
    assert one is not None
    assert one == again
    assert one.identity.startswith(f"{__name__}.prepared ")
    assert asked(prepare=None).prepare is None


@pytest.mark.parametrize("given", [None, b"", b"no config"])
def test_bytes_and_none_are_given_as_they_are(given: bytes | None) -> None:
    request = asked(ignition=given)
    assert (request.ignition, request.verbatim) == (None, Verbatim(given))
    assert request.console_only


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"boot": "warm"}, r"boot 'warm'[\s\S]*clone"),
        ({"ignition": "text"}, r"ignition 'text'[\s\S]*bytes"),
        ({"prepare": "reboot"}, r"prepare 'reboot'[\s\S]*a function"),
        ({"prepare": prepared, "ignition": None}, r"nobody can log in[\s\S]*leave out prepare"),
    ],
)
def test_nonsense_is_an_error_of_the_tests_line(words: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"test_it\.py:7: [\s\S]*{said}"):
        asked(**words)


def test_a_4k_primary_disk_comes_with_the_firmware_that_boots_it() -> None:
    assert asked(primary_disk="4k").spec.firmware is Firmware.UEFI
    assert asked(primary_disk="4k", firmware="uefi-secure").spec.firmware is Firmware.UEFI_SECURE
    assert asked(primary_disk="512e").spec.firmware is Firmware.BIOS
    assert asked(primary_disk="12G:mpath").spec.primary_size == "12G"


def test_what_fails_without_a_config_says_nothing_about_machines_that_have_one(tmp_path: Path) -> None:
    boots, spec = BrokenBoots(tmp_path), MachineSpec(DiskImage(Path("image")))
    given = [IgnitionConfig.from_dict(CONFIG), Verbatim(None), Verbatim(b""), Verbatim(b"{}")]
    assert len({boots.kind(spec, config) for config in given}) == len(given)
    assert boots.kind(spec, given[0]) != boots.kind(spec, given[0], "rebooted")
