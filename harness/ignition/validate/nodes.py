"""Checks of files, directories and links."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from harness.ignition.findings import Finding, Path, error, warning
from harness.ignition.schema import Object
from harness.ignition.version import SpecVersion

_HIGHEST_MODE = 0o7777
_SPECIAL_MODE_BITS = 0o7000
_UNIT_FOLDER = "/etc/systemd/system"


def path_fault(text: str) -> str | None:
    """Return the error in an absolute path, or None."""
    if not text:
        return "a path is required"
    if not text.startswith("/"):
        return f"the path {text!r} is not absolute"
    if clean(text) != text:
        return f"the path {text!r} is not in its simplest form, {clean(text)!r}"
    return None


def clean(text: str) -> str:
    normal = posixpath.normpath(text)
    return normal[1:] if normal.startswith("//") else normal


def path(node: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    fault = path_fault(node.get("path", ""))
    if fault:
        yield error((*at, "path"), fault)


def mode(node: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    bits = node.get("mode")
    if bits is None:
        return
    if not 0 <= bits <= _HIGHEST_MODE:
        yield error(
            (*at, "mode"), f"{bits} is not a file mode, which goes from 0 to {_HIGHEST_MODE} (octal 7777)"
        )
    elif bits & _SPECIAL_MODE_BITS and version.minor < 6:
        yield warning((*at, "mode"), "setuid, setgid and sticky bits have no effect before spec 3.6.0")


def overwrite(file: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    if file.get("overwrite") and "source" not in file.get("contents", {}):
        yield error((*at, "overwrite"), "there is nothing to overwrite with: contents have no source")


def owner(entry: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    if "id" in entry and entry.get("name"):
        yield error(at, "id and name exclude each other")


def behind_links(storage: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    links = [link.get("path", "") for link in storage.get("links", [])]
    for kind in ("directories", "files", "links"):
        for index, node in enumerate(storage.get(kind, [])):
            crossed = next((link for link in links if node.get("path", "").startswith(f"{link}/")), None)
            if crossed is not None:
                yield error((*at, kind, index), f"the path leads through {crossed!r}, a link of this config")


def link_targets(storage: Object, at: Path, version: SpecVersion) -> Iterator[Finding]:
    directories = {directory.get("path") for directory in storage.get("directories", [])}
    for index, link in enumerate(storage.get("links", [])):
        here = (*at, "links", index)
        target = link.get("target", "")
        if not target and version.minor >= 3:
            yield error((*here, "target"), "a link needs a target")
            continue
        if not link.get("hard"):
            continue
        if clean(posixpath.join(link.get("path", ""), target)) in directories:
            yield error(here, "a hard link cannot lead to a directory")
        for kind in ("user", "group"):
            for key in link.get(kind, {}):
                yield warning((*here, kind, key), "the owner of a hard link is ignored")


def clash_with_units(config: Object, at: Path, _: SpecVersion) -> Iterator[Finding]:
    written = set(_unit_files(config))
    for kind in ("files", "directories", "links"):
        for index, node in enumerate(config.get("storage", {}).get(kind, [])):
            if node.get("path") in written:
                message = f"{node['path']} is also written as a systemd unit or drop-in"
                yield error((*at, "storage", kind, index, "path"), message)


def _unit_files(config: Object) -> Iterator[str]:
    for unit in config.get("systemd", {}).get("units", []):
        base = f"{_UNIT_FOLDER}/{unit.get('name', '')}"
        if unit.get("contents"):
            yield base
        for dropin in unit.get("dropins", []):
            if dropin.get("contents"):
                yield f"{base}.d/{dropin.get('name', '')}"
