"""Checks of disks, partitions, RAID, LUKS and filesystems."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.ignition.findings import Finding, Path, error, warning
from harness.ignition.schema import Object
from harness.ignition.validate.nodes import path_fault
from harness.ignition.version import SpecVersion

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_STRIPED_LEVELS = frozenset({"linear", "raid0", "0", "stripe"})
_LEVELS = _STRIPED_LEVELS | {f"{prefix}{number}" for prefix in ("raid", "") for number in (1, 4, 5, 6, 10)}
_LEVELS |= {"mirror"}
_FORMATS = ("ext4", "btrfs", "xfs", "swap", "vfat")
_LABEL_LIMITS = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
_NEED_FORMAT = ("path", "label", "uuid", "wipeFilesystem", "options", "mountOptions")
_LUKS_LABEL_LIMIT = 47
_PARTITION_LABEL_LIMIT = 36
_PINS_BEFORE_3_6 = ("tpm2", "tang", "sss")


def disk(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    fault = path_fault(entry.get("device", ""))
    if fault:
        yield error((*at, "device"), fault)
    partitions = entry.get("partitions", [])
    yield from _collisions(partitions, "number", (*at, "partitions"))
    yield from _collisions(partitions, "label", (*at, "partitions"))
    yield from _overlaps(partitions, (*at, "partitions"))


def _collisions(partitions: list[Object], key: str, at: Path) -> Iterator[Finding]:
    seen: set[object] = set()
    for index, partition in enumerate(partitions):
        value = partition.get(key)
        if value in (None, 0):
            continue
        if value in seen:
            yield error((*at, index), f"another partition has the same {key}, {value!r}")
        seen.add(value)


def _overlaps(partitions: list[Object], at: Path) -> Iterator[Finding]:
    # sgdisk places a start of 0, and a size of 0 fills the free space: neither can be checked here.
    placed = [
        (index, entry["startMiB"], entry["startMiB"] + max(entry["sizeMiB"] - 1, 0))
        for index, entry in enumerate(partitions)
        if entry.get("startMiB") and "sizeMiB" in entry
    ]
    for position, (index, start, end) in enumerate(placed):
        for other, other_start, other_end in placed[:position]:
            if start <= other_end and other_start <= end:
                yield error((*at, index), f"overlaps with partition entry {other}")


def partition(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    described = "label" in entry or "startMiB" in entry or "sizeMiB" in entry
    described = described or bool(entry.get("guid")) or bool(entry.get("typeGuid"))
    if entry.get("shouldExist") is False and described:
        yield error(at, "a partition that should not exist can have no other property than its number")
    if not entry.get("number") and "label" not in entry:
        yield error(at, "a partition needs a number from 1 or a label")
    label = entry.get("label", "")
    if len(label.encode()) > _PARTITION_LABEL_LIMIT:
        yield error((*at, "label"), f"a partition label has at most {_PARTITION_LABEL_LIMIT} characters")
    elif ":" in label:
        yield error((*at, "label"), "sgdisk would cut the label at its colon")
    for key in ("guid", "typeGuid"):
        if entry.get(key) and not _GUID.fullmatch(entry[key]):
            yield error((*at, key), f"{entry[key]!r} is not a GUID")


def raid(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    level = entry.get("level", "")
    if not level:
        yield error((*at, "level"), "a RAID level is required")
    elif level not in _LEVELS:
        yield error((*at, "level"), f"{level!r} is not a RAID level")
    elif level in _STRIPED_LEVELS and entry.get("spares"):
        yield error((*at, "level"), f"RAID level {level} has no spares")
    devices = entry.get("devices", [])
    if not devices:
        yield error((*at, "devices"), "a RAID needs devices")
    for index, device in enumerate(devices):
        fault = path_fault(device)
        if fault:
            yield error((*at, "devices", index), fault)


def filesystem(entry: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    fault = path_fault(entry.get("device", ""))
    if fault:
        yield error((*at, "device"), fault)
    if entry.get("path"):
        fault = path_fault(entry["path"])
        if fault:
            yield error((*at, "path"), fault)
    format_, label = entry.get("format", ""), entry.get("label", "")
    formats = _FORMATS if version.minor < 3 else (*_FORMATS, "none")
    if not format_:
        dependent = [key for key in _NEED_FORMAT if entry.get(key)]
        if dependent:
            yield error((*at, "format"), f"a format is required with {', '.join(dependent)}")
    elif format_ not in formats:
        yield error((*at, "format"), f"{format_!r} is not one of {', '.join(formats)}")
    limit = _LABEL_LIMITS.get(format_)
    if limit is not None and len(label.encode()) > limit:
        yield error((*at, "label"), f"a label of {format_} has at most {limit} characters")


def filesystems_on_disks(storage: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    disks = {entry.get("device"): entry for entry in storage.get("disks", [])}
    for index, entry in enumerate(storage.get("filesystems", [])):
        disk_entry = disks.get(entry.get("device"))
        if disk_entry is None:
            continue
        here = (*at, "filesystems", index, "device")
        if disk_entry.get("partitions"):
            yield warning(here, "the filesystem overwrites a disk that is to be partitioned")
        elif disk_entry.get("wipeTable") and not entry.get("wipeFilesystem"):
            yield warning(here, "the filesystem is wiped too, for its disk has wipeTable")


def luks(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    if "/" in entry.get("name", ""):
        yield error((*at, "name"), "a device name has no slash")
    if len(entry.get("label", "").encode()) > _LUKS_LABEL_LIMIT:
        yield error((*at, "label"), f"a LUKS label has at most {_LUKS_LABEL_LIMIT} characters")
    fault = path_fault(entry.get("device", ""))
    if fault:
        yield error((*at, "device"), fault)
    clevis = entry.get("clevis", {})
    bound = bool(clevis.get("tang") or clevis.get("tpm2") or clevis.get("threshold"))
    custom = bool(clevis.get("custom", {}).get("pin"))
    if custom and bound:
        yield error((*at, "clevis"), "a custom pin excludes tpm2, tang and threshold")
    if entry.get("cex", {}).get("enabled"):
        if bound or custom:
            yield error((*at, "cex"), "cex excludes clevis")
        if entry.get("keyFile", {}).get("source"):
            yield error((*at, "cex"), "cex excludes a key file")


def clevis_custom(entry: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    pin, config = entry.get("pin", ""), entry.get("config", "")
    if not pin and not config and not (entry.get("needsNetwork") and version.minor >= 3):
        return
    if not pin:
        yield error((*at, "pin"), "a custom clevis binding needs a pin")
    elif version.minor < 6 and pin not in _PINS_BEFORE_3_6:
        yield error((*at, "pin"), f"the clevis pin {pin!r} is not one of {', '.join(_PINS_BEFORE_3_6)}")
    if not config:
        yield error((*at, "config"), "a custom clevis binding needs a config")
