"""`boot_device`: an encrypted or mirrored root disk, in each architecture's layout.

Sizes and type GUIDs are those of the image's own partitions, which the new ones replace.
"""

from __future__ import annotations

from harness.ignition.schema import Object

LAYOUTS = ("aarch64", "ppc64le", "x86_64")
S390X_LAYOUTS = ("s390x-eckd", "s390x-virt", "s390x-zfcp")

_ESP_GUID = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
_RESERVED = ("reserved", 1, "8DA63339-0007-60C0-C436-083AC8230908")
_BIOS = ("bios", 1, "21686148-6449-6E6F-744E-656564454649")
_PREP = ("prep", 4, "9E1A2D38-C612-4316-AA26-8B49521E5A8B")
_ESP = ("esp", 127, _ESP_GUID)
_FIRMWARE_PARTITIONS = {
    "x86_64": (_BIOS, _ESP),
    "aarch64": (_RESERVED, _ESP),
    "ppc64le": (_PREP, _RESERVED),
}
_BOOT_SIZE_MIB = 384
_ROOT_PARTITION_NUMBER = {"s390x-eckd": "2", "s390x-zfcp": "4"}


def boot_device_tree(boot_device: Object) -> Object:
    """Return the storage section for this root disk, the parent of the user's config; empty if not
    requested.
    """
    mirror = boot_device.get("mirror", {}).get("devices", [])
    luks = boot_device.get("luks", {})
    encrypted = bool(luks.get("tpm2") or luks.get("tang") or luks.get("cex", {}).get("enabled"))
    if not mirror and not encrypted:
        return {}
    layout = boot_device.get("layout", "x86_64")
    storage: Object = {"filesystems": []}
    root = "/dev/disk/by-partlabel/root"
    if mirror:
        _add_mirror(storage, mirror, layout)
        root = "/dev/md/md-root"
    if encrypted:
        storage["luks"] = [_luks(luks, _root_of(layout, luks, root))]
        root = "/dev/mapper/root"
    storage["filesystems"].append(_filesystem(root, "xfs", "root"))
    return {"storage": storage}


def _add_mirror(storage: Object, devices: list[str], layout: str) -> None:
    firmware = _FIRMWARE_PARTITIONS.get(layout, (_RESERVED, _RESERVED))
    numbers = range(1, len(devices) + 1)
    storage["disks"] = [
        {"device": device, "wipeTable": True, "partitions": _partitions(number, firmware)}
        for number, device in zip(numbers, devices, strict=True)
    ]
    storage["raid"] = [
        # With the superblock at the end, firmware or GRUB without RAID support sees a plain filesystem.
        {**_raid("boot", numbers), "options": ["--metadata=1.0"]},
        _raid("root", numbers),
    ]
    if _ESP in firmware:
        storage["filesystems"] += [
            _filesystem(f"/dev/disk/by-partlabel/esp-{number}", "vfat", f"esp-{number}") for number in numbers
        ]
    storage["filesystems"].append(_filesystem("/dev/md/md-boot", "ext4", "boot"))


def _partitions(number: int, firmware: tuple[tuple[str, int, str], ...]) -> list[Object]:
    first = [
        {"label": f"{name}-{number}", "sizeMiB": size, "typeGuid": guid} for name, size, guid in firmware
    ]
    return [*first, {"label": f"boot-{number}", "sizeMiB": _BOOT_SIZE_MIB}, {"label": f"root-{number}"}]


def _raid(name: str, numbers: range) -> Object:
    devices = [f"/dev/disk/by-partlabel/{name}-{number}" for number in numbers]
    return {"devices": devices, "level": "raid1", "name": f"md-{name}"}


def _filesystem(device: str, format_: str, label: str) -> Object:
    return {"device": device, "format": format_, "label": label, "wipeFilesystem": True}


def _root_of(layout: str, luks: Object, otherwise: str) -> str:
    number = _ROOT_PARTITION_NUMBER.get(layout)
    return f"{luks.get('device', '')}{number}" if number else otherwise


def _luks(luks: Object, device: str) -> Object:
    entry: Object = {"name": "root", "label": "luks-root", "device": device, "wipeVolume": True}
    if "discard" in luks:
        entry["discard"] = luks["discard"]
    if luks.get("cex", {}).get("enabled"):
        return {**entry, "cex": luks["cex"]}
    return {**entry, "clevis": {key: luks[key] for key in ("tang", "threshold", "tpm2") if key in luks}}
