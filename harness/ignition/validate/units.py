"""Checks of systemd units and drop-ins."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from harness.ignition.findings import Finding, Path, error, warning
from harness.ignition.schema import Object
from harness.ignition.unitfile import UnitOption, parse_unit
from harness.ignition.version import SpecVersion

_KINDS = frozenset(
    f".{kind}"
    for kind in (
        *("service", "socket", "device", "mount", "automount", "swap"),
        *("target", "path", "timer", "snapshot", "slice", "scope"),
    )
)
_INSTANCE = re.compile(r"(.+?)@.+?\.service", re.DOTALL)


def unit(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    name = entry.get("name", "")
    if posixpath.splitext(name)[1] not in _KINDS and not _bare_extension(name):
        yield error((*at, "name"), f"{name!r} does not end like a systemd unit")
    contents = entry.get("contents", "")
    try:
        options = parse_unit(contents)
    except ValueError as wrong:
        yield error((*at, "contents"), f"not a unit file: {wrong}")
        return
    if entry.get("enabled") and contents and not _has_install(options):
        message = f"{name} is enabled, but without an [Install] section that does nothing"
        yield warning((*at, "contents"), message)


def dropin(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    name = entry.get("name", "")
    if not name.endswith(".conf"):
        yield error((*at, "name"), f"the drop-in {name!r} does not end in .conf")
    try:
        parse_unit(entry.get("contents", ""))
    except ValueError as wrong:
        yield error((*at, "contents"), f"not a drop-in: {wrong}")


def instances(systemd: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    """Report enabled instances whose template, in this config, has no [Install]: enabling them has no
    effect.
    """
    templates = {entry.get("name", ""): entry.get("contents", "") for entry in systemd.get("units", [])}
    for index, entry in enumerate(systemd.get("units", [])):
        match = _INSTANCE.fullmatch(entry.get("name", ""))
        template = f"{match[1]}@.service" if match else ""
        if not entry.get("enabled") or not templates.get(template):
            continue
        try:
            options = parse_unit(templates[template])
        except ValueError:
            continue
        if not _has_install(options):
            message = f"{template}, the template of {entry['name']}, has no [Install] section"
            yield warning((*at, "units", index, "contents"), message)


def _has_install(options: tuple[UnitOption, ...]) -> bool:
    return any(option.section == "Install" for option in options)


def _bare_extension(name: str) -> bool:
    """Return True for names such as `.service`: Go counts them as an extension, Python does not."""
    return name in _KINDS
