"""Butane's own checks of a document, in addition to Ignition's checks of the result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.butane.bootdevice import LAYOUTS, S390X_LAYOUTS
from harness.butane.keys import DOCUMENT, Shape
from harness.butane.modes import looks_decimal
from harness.butane.report import Report
from harness.butane.spec import Spec
from harness.ignition.findings import Path
from harness.ignition.schema import Object

_BOOT_DISK = "/dev/disk/by-id/coreos-boot-disk"
_MOUNTABLE = re.compile(r"/(etc|var)(/|$)")
_LUKS_DEVICES = {"s390x-eckd": re.compile(r"/dev/dasd[a-z]$"), "s390x-zfcp": re.compile(r"/dev/sd[a-z]$")}
_RESERVED_NUMBERS = {"BIOS-BOOT": 1, "PowerPC-PReP-boot": 1, "EFI-SYSTEM": 2, "boot": 3, "root": 4}
_SMALLEST_ROOT_MIB = 8192
_SOURCES = ("local", "inline", "source")


def check_document(tree: Object, spec: Spec, report: Report) -> None:
    """Report violations of Butane's own rules."""
    for shape, entry, path in visit(tree, DOCUMENT, ()):
        match shape.name:
            case "resource" | "reference":
                _resource(entry, path, report)
            case "unit" | "dropin" if "contents" in entry and "contents_local" in entry:
                report.error((*path, "contents_local"), "contents and contents_local exclude each other")
            case "filesystem":
                _filesystem(entry, path, spec, report)
            case "tree" if not entry.get("local"):
                report.error(path, "a tree needs local")
            case "file" | "directory":
                _mode(entry, path, report, directory=shape.name == "directory")
            case "boot-device":
                _boot_device(entry, path, spec, report)
            case "grub-user":
                _grub_user(entry, path, report)
    if spec.has_sugar_of(6):
        _reused_partitions(tree, report)


def check_partitions(disks: list[Object], spec: Spec) -> Iterator[tuple[Path, str]]:
    """Yield warnings about partitions of the result that will not do what their label says."""
    for index, disk in enumerate(disks):
        partitions = disk.get("partitions", [])
        for number, partition in enumerate(partitions):
            path: Path = ("storage", "disks", index, "partitions", number)
            label = partition.get("label")
            if label == "root" and spec.has_sugar_of(3):
                yield from _root_size(
                    partition, [other for other in partitions if other is not partition], path
                )
            expected = _RESERVED_NUMBERS.get(label) if label else None
            if expected and partition.get("number", 0) != expected and not disk.get("wipeTable"):
                yield (
                    (*path, "label"),
                    f"the image's partition {label} has number {expected}; this is a new one",
                )


def visit(entry: Object, shape: Shape, path: Path) -> Iterator[tuple[Shape, Object, Path]]:
    """Yield every object of a document, with its shape and path."""
    yield shape, entry, path
    for name, key in shape.keys.items():
        if not isinstance(key.kind, Shape) or name not in entry:
            continue
        value: Any = entry[name]
        items = (
            [((*path, name, i), item) for i, item in enumerate(value)]
            if key.many
            else [((*path, name), value)]
        )
        for here, item in items:
            yield from visit(item, key.kind, here)


def _resource(entry: Object, path: Path, report: Report) -> None:
    given = [key for key in _SOURCES if key in entry]
    if len(given) > 1:
        report.error((*path, given[-1]), f"only one of {', '.join(sorted(_SOURCES))} may be given")


def _filesystem(entry: Object, path: Path, spec: Spec, report: Report) -> None:
    if not entry.get("with_mount_unit"):
        return
    if not entry.get("format"):
        report.error((*path, "format"), "with_mount_unit needs a format")
    swap = entry.get("format") == "swap" and spec.minor >= 3
    if not swap and not entry.get("path"):
        report.error((*path, "path"), "with_mount_unit needs a path")
    elif spec.has_sugar_of(6) and "path" in entry and not _MOUNTABLE.match(entry["path"]):
        report.error((*path, "path"), "with_mount_unit is for paths in /etc and /var")


def _mode(entry: Object, path: Path, report: Report, *, directory: bool) -> None:
    mode = entry.get("mode")
    if mode is not None and looks_decimal(mode, directory=directory):
        report.warning((*path, "mode"), f"{mode} is decimal; 0{mode} was probably meant")


def _boot_device(entry: Object, path: Path, spec: Spec, report: Report) -> None:
    layout, luks = entry.get("layout"), entry.get("luks", {})
    mirror = entry.get("mirror", {}).get("devices", [])
    if mirror and layout is None:
        report.warning((*path, "mirror"), "a mirror should say its boot_device.layout; x86_64 is taken")
    if len(mirror) == 1:
        report.error((*path, "mirror", "devices"), "a mirror needs at least two devices")
    layouts = (*LAYOUTS, *S390X_LAYOUTS) if spec.has_sugar_of(6) else LAYOUTS
    if layout is not None and layout not in layouts:
        report.error((*path, "layout"), f"the layout {layout!r} is not one of {', '.join(sorted(layouts))}")
    elif layout in S390X_LAYOUTS:
        if mirror:
            report.error((*path, "layout"), "s390x layouts cannot be mirrored")
        pattern = _LUKS_DEVICES.get(layout)
        if pattern and not luks.get("device"):
            report.error((*path, "layout"), f"the layout {layout} needs luks.device")
        elif pattern and not pattern.search(luks["device"]):
            report.error((*path, "luks", "device"), f"{luks['device']!r} is no device of the layout {layout}")
    if luks.get("cex", {}).get("enabled"):
        if layout not in S390X_LAYOUTS:
            report.error((*path, "luks", "cex"), "cex needs an s390x layout")
        if luks.get("tang") or luks.get("tpm2"):
            report.error((*path, "luks"), "cex excludes tang and tpm2")


def _grub_user(entry: Object, path: Path, report: Report) -> None:
    for key in ("name", "password_hash"):
        if not entry.get(key):
            report.error((*path, key), f"a GRUB user needs {key}")


def _reused_partitions(tree: Object, report: Report) -> None:
    mirrored = tree.get("boot_device", {}).get("mirror", {}).get("devices", [])
    for index, disk in enumerate(tree.get("storage", {}).get("disks", [])):
        if disk.get("wipe_table") or disk.get("device") in (_BOOT_DISK, *mirrored):
            continue
        for number, partition in enumerate(disk.get("partitions", [])):
            if not partition.get("number") and "label" in partition:
                report.warning(
                    ("storage", "disks", index, "partitions", number, "number"),
                    "without wipe_table a partition is found again by number, not by label",
                )


def _root_size(partition: Object, others: list[Object], path: Path) -> Iterator[tuple[Path, str]]:
    size = partition.get("sizeMiB", 0)
    if size and size < _SMALLEST_ROOT_MIB:
        yield (*path, "sizeMiB"), f"the root partition should have {_SMALLEST_ROOT_MIB} MiB or more"
    elif not size and any(not other.get("startMiB") for other in others):
        yield (*path, "label"), "the root partition cannot grow: one placed automatically follows it"
