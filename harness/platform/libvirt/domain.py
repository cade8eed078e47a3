"""The XML of one domain, made from its spec and the names of its files (libvirt: formatdomain)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from harness.errors import ConfigError
from harness.machine.boot import MEDIUM, PRIMARY, KernelBoot, LiveIso
from harness.machine.disk import DiskChannel, DiskOptions, SectorSize
from harness.machine.spec import Firmware, MachineSpec
from harness.platform.libvirt import command
from harness.platform.libvirt.given import Files, Named
from harness.platform.libvirt.hardware import ALIAS, PRIMARY_DISK, Slots, slots
from harness.platform.libvirt.owners import NAMESPACE, Owner
from harness.platform.parts.accel import TCG_CACHE_MIB, Accelerator
from harness.platform.parts.board import is_pc
from harness.platform.parts.diskargs import DiskFile, device_id

QEMU_NAMESPACE = "http://libvirt.org/schemas/domain/qemu/1.0"
CONSOLE_ALIAS = "serial0"
"""The name under which libvirt opens the console."""

# A character outside XML 1.0, 2.2; bytes of file names that are not UTF-8 are among them.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_LETTERS = "abcdefghijklmnopqrstuvwxyz"

ElementTree.register_namespace("qemu", QEMU_NAMESPACE)
ElementTree.register_namespace("kola", NAMESPACE)


@dataclass(frozen=True)
class Identity:
    """The name and uuid of a domain, and its owner."""

    name: str
    uuid: str
    owner: Owner


@dataclass(frozen=True)
class Labels:
    """The security models of the daemon's host that concern a machine (libvirt: capabilities, secmodel).

    With `run_as` (numbers of user and group) QEMU runs as that user, and libvirt changes no file's owner.
    `unconfined` are models to be switched off, since they would bar QEMU from its files.
    """

    run_as: tuple[int, int] | None = None
    unconfined: tuple[str, ...] = ()


def build(
    spec: MachineSpec, files: Files, *, identity: Identity, accelerator: Accelerator, labels: Labels
) -> str:
    """Return the domain's XML. A pure function. Raises ConfigError for words that XML cannot hold."""
    domain = Element("domain", type="kvm" if accelerator.name == "kvm" else "qemu")
    _text(domain, "name", identity.name)
    _text(domain, "uuid", identity.uuid)
    _child(domain, "metadata").append(identity.owner.element())
    _text(domain, "memory", str(spec.memory_mib), unit="MiB")
    _text(domain, "vcpu", str(spec.cpus))
    if files.ignition is not None:
        info = _child(domain, "sysinfo", type="fwcfg")
        _child(info, "entry", name="opt/com.coreos/config", file=str(files.ignition))
    _system(domain, spec, files)
    _features(domain, spec, accelerator)
    _cpu(domain, spec, accelerator)
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "preserve")):
        _text(domain, f"on_{event}", action)
    if spec.firmware is Firmware.UEFI_SECURE:
        _child(_child(domain, "pm"), "suspend-to-mem", enabled="no")
    _devices(_child(domain, "devices"), spec, files)
    if labels.run_as is not None:
        label = _child(domain, "seclabel", type="static", model="dac", relabel="no")
        _text(label, "label", "+{}:+{}".format(*labels.run_as))
    for model in labels.unconfined:
        _child(domain, "seclabel", type="none", model=model)
    line = _child(domain, f"{{{QEMU_NAMESPACE}}}commandline")
    for word in command.arguments(spec, files):
        _child(line, f"{{{QEMU_NAMESPACE}}}arg", value=word)
    ElementTree.indent(domain)
    text = ElementTree.tostring(domain, encoding="unicode") + "\n"
    if (odd := _NO_XML.search(text)) is not None:
        raise ConfigError(
            f"libvirt cannot be told of {text[max(0, odd.start() - 40) : odd.end()]!r}",
            hint="use UTF-8 without control characters",
        )
    return text


def _system(domain: Element, spec: MachineSpec, files: Files) -> None:
    system = _child(domain, "os")
    _text(system, "type", "hvm", arch=spec.arch, machine="pc" if is_pc(spec) else "q35")
    if files.firmware is not None and files.efi_variables is not None:
        secure = {"secure": "yes"} if spec.firmware is Firmware.UEFI_SECURE else {}
        loader = _child(system, "loader", readonly="yes", type="pflash", **secure)
        loader.text = str(files.firmware.code)
        _text(system, "nvram", str(files.efi_variables))
    if isinstance(spec.medium, KernelBoot):
        _text(system, "kernel", str(spec.medium.kernel))
        if files.medium is not None:
            _text(system, "initrd", str(files.medium.path))
        if spec.medium.arguments:
            _text(system, "cmdline", spec.medium.arguments)


def _features(domain: Element, spec: MachineSpec, accelerator: Accelerator) -> None:
    features = _child(domain, "features")
    _child(features, "acpi")
    if spec.firmware is Firmware.UEFI_SECURE:
        _child(features, "smm", state="on")
    if accelerator.name == "tcg":
        _text(_child(features, "tcg"), "tb-cache", str(TCG_CACHE_MIB), unit="MiB")


def _cpu(domain: Element, spec: MachineSpec, accelerator: Accelerator) -> None:
    if accelerator.cpu == "host":
        cpu = _child(domain, "cpu", mode="host-passthrough", check="none")
    else:
        model, *features = accelerator.cpu.split(",")
        cpu = _child(domain, "cpu", mode="custom", match="exact", check="none")
        _text(cpu, "model", model, fallback="forbid")
    # One socket, as QEMU itself would have it.
    _child(cpu, "topology", sockets="1", dies="1", cores=str(spec.cpus), threads="1")
    if accelerator.cpu != "host":
        for feature in features:
            _child(cpu, "feature", policy="require", name=feature.lstrip("+"))
    if spec.numa_nodes:
        half = spec.memory_mib // 2
        numa = _child(cpu, "numa")
        everyone = f"0-{spec.cpus - 1}" if spec.cpus > 1 else "0"
        _child(numa, "cell", id="0", cpus=everyone, memory=str(half), unit="MiB")
        _child(numa, "cell", id="1", memory=str(spec.memory_mib - half), unit="MiB")


def _devices(devices: Element, spec: MachineSpec, files: Files) -> None:
    place = slots(spec)
    _child(devices, "controller", type="usb", model="none")
    if not is_pc(spec):
        _child(devices, "controller", type="pci", index="0", model="pcie-root")
    _place(_child(devices, "controller", type="virtio-serial", index="0"), place, "ports")
    _disks(devices, spec, files, place)
    _medium(devices, spec, files.medium, place)
    for channel, path in files.channels:
        if not channel.port:
            _child(_child(devices, "serial", type="pty"), "target", port="0")
            continue
        port = _child(devices, "channel", type="unix")
        if path is not None:
            _child(port, "source", mode="bind", path=str(path))
        _child(port, "target", type="virtio", name=channel.port)
    if files.network and spec.network:
        _interface(devices, files.network, place)
    if files.tpm_of_libvirt:
        _child(_child(devices, "tpm", model="tpm-tis"), "backend", type="emulator", version="2.0")
    rng = _child(devices, "rng", model="virtio")
    _text(rng, "backend", "/dev/urandom", model="random")
    _place(rng, place, "rng")
    _child(devices, "memballoon", model="none")
    video = _child(devices, "video")
    _child(video, "model", type="vga" if spec.display else "none")
    if spec.display:
        _place(video, place, "display")
    _child(devices, "panic", model="isa")


def _disks(devices: Element, spec: MachineSpec, files: Files, place: Slots) -> None:
    numbered = [*enumerate(files.disks, start=1)]
    if files.primary is not None:
        numbered.append((PRIMARY_DISK, files.primary))
    if "scsi" in place.numbers:
        _place(_child(devices, "controller", type="scsi", index="0", model="virtio-scsi"), place, "scsi")
    scsi = 0
    for turn, (number, disk) in enumerate(numbered):
        options = disk.options
        if options.multipath or options.channel is DiskChannel.NVME:
            continue  # libvirt has no such disks: see command.py
        name = f"disk{number}"
        on_scsi = options.channel is DiskChannel.SCSI
        element = _disk(devices, disk, f"{'sd' if on_scsi else 'vd'}{_LETTERS[turn]}")
        _text(element, "serial", options.serial or ("primary-disk" if number == PRIMARY_DISK else name))
        if options.wwn is not None:
            _text(element, "wwn", f"{options.wwn:016x}")
        _child(element, "alias", name=ALIAS + device_id(PRIMARY if number == PRIMARY_DISK else name))
        if on_scsi:
            _drive(element, controller=0, target=scsi)
            scsi += 1
        else:
            _place(element, place, name)


def _disk(devices: Element, disk: DiskFile, target: str) -> Element:
    element = _child(devices, "disk", type="file", device="disk")
    # A test's disk need not survive the host.
    _child(element, "driver", name="qemu", type=disk.format, cache="unsafe", discard="unmap")
    _child(element, "source", file=disk.path)
    _child(element, "target", dev=target, bus="scsi" if target.startswith("sd") else "virtio")
    _sectors(element, disk.options)
    if disk.index is not None:
        _child(element, "boot", order=str(disk.index))
    return element


def _sectors(element: Element, options: DiskOptions) -> None:
    if options.sectors is not SectorSize.NATIVE_512:
        logical = "4096" if options.sectors is SectorSize.NATIVE_4K else "512"
        _child(element, "blockio", logical_block_size=logical, physical_block_size="4096")


def _medium(devices: Element, spec: MachineSpec, medium: Named | None, place: Slots) -> None:
    if not isinstance(spec.medium, LiveIso) or medium is None:
        return
    as_disk, pc = spec.medium.as_disk, is_pc(spec)
    if not as_disk and not pc:
        _place(_child(devices, "controller", type="scsi", index="1", model="virtio-scsi"), place, "medium")
    element = _child(devices, "disk", type="file", device="disk" if as_disk else "cdrom")
    _child(element, "driver", name="qemu", type=medium.file.format, cache="unsafe", discard="unmap")
    _child(element, "source", file=str(medium.path))
    bus, target = ("virtio", "vdz") if as_disk else (("ide", "hda") if pc else ("scsi", "sdz"))
    _child(element, "target", dev=target, bus=bus)
    index = spec.boot_index(MEDIUM)
    if index is not None:
        _child(element, "boot", order=str(index))
    if not as_disk:
        _child(element, "readonly")
    _child(element, "alias", name=ALIAS + device_id(MEDIUM))
    if as_disk:
        _place(element, place, "medium")
    elif not pc:
        _drive(element, controller=1, target=0)


def _interface(devices: Element, network: str, place: Slots) -> None:
    card = _child(devices, "interface", type="network")
    _child(card, "source", network=network)
    _child(card, "model", type="virtio")
    _child(card, "rom", enabled="no")
    _place(card, place, "nic")


def _place(element: Element, place: Slots, name: str) -> None:
    slot = f"0x{place.numbers[name]:02x}"
    _child(element, "address", type="pci", domain="0x0000", bus="0x00", slot=slot, function="0x0")


def _drive(element: Element, *, controller: int, target: int) -> None:
    _child(
        element, "address", type="drive", controller=str(controller), bus="0", target=str(target), unit="0"
    )


def _child(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    _child(parent, tag, **attributes).text = text
