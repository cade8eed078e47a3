"""The default machine of a run, and the configs merged into every machine's."""

from __future__ import annotations

from harness.butane.load import load_butane, load_ignition
from harness.machine.spec import Disk, Firmware
from harness.platform.base import TPM
from kola.run.options import MachineOptions
from kola.run.plan import Defaults
from kola.run.subject import Tell


def machine_defaults(options: MachineOptions, tell: Tell, lacking: frozenset[str]) -> Defaults:
    """Return the default machine; `lacking` are optional things that a host lacks.

    Raises ConfigError for disk options that exclude each other.
    """
    asked = {
        "channel=nvme": options.qemu_nvme,
        "4k": options.qemu_native_4k,
        "512e": options.qemu_512e,
        "mpath": options.qemu_multipath,
    }
    disk = Disk.parse_primary(",".join(word for word, wanted in asked.items() if wanted))
    firmware = options.qemu_firmware
    if firmware is None and options.qemu_native_4k:
        firmware = Firmware.UEFI
    if options.qemu_swtpm and TPM in lacking:
        tell(f"this host has no {TPM}: machines have no TPM (--no-qemu-swtpm says that this is meant)")
    return Defaults(
        memory_mib=options.qemu_memory,
        cpus=options.qemu_cpus,
        firmware=firmware,
        primary_disk=disk.options,
        primary_size=options.qemu_size,
        swtpm=options.qemu_swtpm and TPM not in lacking,
        host_directories=options.qemu_bind_ro,
        extra_qemu_args=options.qemu_arg,
    )


def appended_configs(options: MachineOptions, tell: Tell) -> tuple[str, ...]:
    """Return the Ignition texts of --append-ignition and --append-butane, in this order.

    Raises ConfigError for a config that Ignition would refuse at every boot. Warnings go to `tell`.
    """
    loaded = [(file, load_ignition(file)) for file in options.append_ignition]
    loaded += [(file, load_butane(file)) for file in options.append_butane]
    for file, one in loaded:
        for warning in one.warnings:
            tell(f"{file}: warning: {warning}")
    return tuple(one.config.to_json() for _, one in loaded)
