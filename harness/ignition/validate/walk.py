"""Validation of every object of a config with the checks for its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.ignition.findings import Finding, Path, error
from harness.ignition.schema import (
    CLEVIS_CUSTOM,
    CONFIG,
    DIRECTORY,
    DISK,
    DROPIN,
    FILE,
    FILESYSTEM,
    HEADER,
    LINK,
    LUKS,
    OWNER,
    PARTITION,
    PROXY,
    RAID,
    REFERENCE,
    RESOURCE,
    STORAGE,
    SYSTEMD,
    TANG,
    UNIT,
    VERIFICATION,
    Object,
    Struct,
)
from harness.ignition.validate import devices, nodes, transport, units
from harness.ignition.version import SpecVersion

Check = Callable[[Object, Path, SpecVersion], Iterator[Finding]]

_CHECKS: dict[str, tuple[Check, ...]] = {
    CLEVIS_CUSTOM.name: (devices.clevis_custom,),
    CONFIG.name: (nodes.clash_with_units, transport.references),
    DIRECTORY.name: (nodes.path, nodes.mode),
    DISK.name: (devices.disk,),
    DROPIN.name: (units.dropin,),
    FILE.name: (nodes.path, nodes.mode, nodes.overwrite),
    FILESYSTEM.name: (devices.filesystem,),
    HEADER.name: (transport.header,),
    LINK.name: (nodes.path,),
    LUKS.name: (devices.luks,),
    OWNER.name: (nodes.owner,),
    PARTITION.name: (devices.partition,),
    PROXY.name: (transport.proxy,),
    RAID.name: (devices.raid,),
    REFERENCE.name: (transport.resource,),
    RESOURCE.name: (transport.resource,),
    STORAGE.name: (nodes.behind_links, nodes.link_targets, devices.filesystems_on_disks),
    SYSTEMD.name: (units.instances,),
    TANG.name: (transport.tang,),
    UNIT.name: (units.unit,),
    VERIFICATION.name: (transport.verification,),
}


def validate_tree(tree: Object, version: SpecVersion) -> tuple[Finding, ...]:
    """Return all errors and warnings, in document order of the objects."""
    return tuple(_visit(tree, CONFIG, (), version))


def _visit(entry: Object, struct: Struct, path: Path, version: SpecVersion) -> Iterator[Finding]:
    for check in _CHECKS.get(struct.name, ()):
        yield from check(entry, path, version)
    yield from _duplicates(entry, struct, path)
    for name, field in struct.fields.items():
        if not isinstance(field.kind, Struct) or name not in entry:
            continue
        if not field.many:
            yield from _visit(entry[name], field.kind, (*path, name), version)
            continue
        for index, item in enumerate(entry[name]):
            yield from _visit(item, field.kind, (*path, name, index), version)


def _duplicates(entry: Object, struct: Struct, path: Path) -> Iterator[Finding]:
    seen: dict[str, dict[str, Path]] = {}
    for name, field in struct.fields.items():
        if not field.many or field.appends:
            continue
        keys = seen.setdefault(field.handle or name, {})
        for index, item in enumerate(entry.get(name, [])):
            key = field.kind.key(item) if isinstance(field.kind, Struct) else str(item)
            here = (*path, name, index)
            if key in keys:
                first = ".".join(str(part) for part in keys[key])
                yield error(here, f"duplicate entry {key!r}, first at $.{first}")
            else:
                keys[key] = here
