from __future__ import annotations

import json
from pathlib import Path

from plan_samples import a_plan

from harness.machine.spec import DiskChannel, DiskOptions, Firmware, HostDirectory, SectorSize
from kola.run.plan import Defaults, RunPlan

NVME_4K = DiskOptions(channel=DiskChannel.NVME, sectors=SectorSize.NATIVE_4K)


def test_a_plan_travels_to_workers_and_back(tmp_path: Path) -> None:
    plan = a_plan(
        tmp_path,
        defaults=Defaults(
            firmware=Firmware.UEFI,
            host_directories=(HostDirectory(Path("/a"), "/b"),),
            primary_disk=NVME_4K,
        ),
        tests=("one", "two"),
        warn_on_failure=frozenset({"two"}),
        external_roots=(("/x/tests/kola", "ext.x"),),
        ignition=("{}",),
        build_directory=tmp_path,
    )
    assert RunPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_the_default_machine(tmp_path: Path) -> None:
    spec = a_plan(tmp_path).base_spec()
    assert (spec.memory_mib, spec.cpus, spec.firmware) == (1024, 1, Firmware.BIOS)


def test_other_architectures_get_more_memory_and_uefi(tmp_path: Path) -> None:
    spec = a_plan(tmp_path, arch="aarch64").base_spec()
    assert (spec.memory_mib, spec.firmware) == (2048, Firmware.UEFI)
    assert Defaults(firmware=Firmware.UEFI_SECURE).firmware_of("aarch64") is Firmware.UEFI_SECURE


def test_what_was_typed_shapes_every_machine(tmp_path: Path) -> None:
    defaults = Defaults(memory_mib=512, primary_disk=NVME_4K, primary_size="+5G")
    spec = a_plan(tmp_path, defaults=defaults).base_spec()
    assert spec.memory_mib == 512
    assert spec.primary_disk.sectors is SectorSize.NATIVE_4K
    assert spec.primary_size == "+5G"
