"""Rules for units of systemd: enabled, masked and their files, against the presets and the build."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.configured import Configured
from testsuites.audit.etc import changed_lines
from testsuites.audit.finding import Finding
from testsuites.audit.items import FileFact
from testsuites.audit.presets import Presets
from testsuites.audit.processes import foreign_programs, strays
from testsuites.audit.record import Record

_ETC = "/etc/systemd/system"
_WANTS = re.compile(
    r"(/etc|/run)/systemd/(system|system\.control|transient)/([^/]+)\.(wants|requires|upholds)/([^/]+)"
)
_GENERATED = re.compile(
    r"/run/systemd/generator(?:\.early|\.late)?/[^/]+\.(?:wants|requires|upholds)/([^/]+)"
)
_FOR_USERS = re.compile(
    r"(/etc/systemd/user|/(var/home/[^/]+|var/roothome)/\.config/systemd/user)/"
    r"(?:([^/]+)\.(wants|requires|upholds)/)?([^/]+)"
)
_MADE_UNITS = (
    "getty@",
    "serial-getty@",
    "console-getty.",
    "systemd-",
    "modprobe@",
    "dev-",
    "boot",
    "sysroot",
    "ostree-",
)
"""Beginnings of names of units that systemd's own and the system's generators want."""
_UNIT_FILE = re.compile(
    r"/etc/systemd/[^/]+\.conf(\.d/.+)?|/run/systemd/[^/]+\.conf\.d/.+"
    r"|/(etc|run)/systemd/(system|user)(\.control|\.attached)?/.+"
    r"|/var/usrlocal/(lib|share)/systemd/.+|/(var/home/[^/]+|var/roothome)/\.(config|local/share)/systemd/.+"
)
_OWN_ENVIRONMENT = ("PATH=", "LANG", "LC_")
"""Variables that systemd itself gives to services (manager_default_environment in manager.c)."""
_DEFAULT = f"{_ETC}/default.target"
_IGNITIONS = "/etc/systemd/system-preset/20-ignition.preset"
"""The file into which Ignition writes the units of its config, by their full names."""
BUILDS_UNITS = ("/usr/lib/systemd/", "/run/systemd/generator", "/lib/systemd/")
"""Beginnings of paths of the build's units."""


def _unit_of(file: FileFact) -> str:
    """Return the unit that a link enables: an instance by its own name, others by their target's."""
    target = file.target.rpartition("/")[2]
    return file.name if "@" in file.name or not target else target


def _build_presets(record: Record) -> Presets:
    """Return the presets of the build. Ignition writes one, too, of whatever a config enables."""
    return Presets.read(line for line in record.file_lines("presets") if record.shipped(line.file))


def enabled_units(record: Record, configured: Configured) -> list[Finding]:
    """Return every enabled unit, socket, timer and path that no preset, build or config enables."""
    presets = _build_presets(record)
    also = _also(record)
    found = []
    for file in record.files:
        wants = _WANTS.fullmatch(file.path)
        alias = file.path.rpartition("/")[0] == _ETC and file.kind == "l" and file.target != "/dev/null"
        shipped = record.all_files.get(f"/usr{file.path}")
        if not (wants or alias) or (shipped is not None and shipped.target == file.target):
            continue
        unit = _unit_of(file)
        by_also = any(presets.enables(other) for other in also.get(unit, ()))
        if presets.enables(unit) or by_also or configured.enables(unit):
            continue
        how = f"{wants.group(3)} {wants.group(4)} it" if wants else f"{file.name} is another name of it"
        found.append(Finding("only what presets enable is enabled", unit, f"{how} ({file.path})"))
    found += _generated_units(record, presets)
    found += _users_units(record, configured)
    found += _foreign_units(record, configured)
    return [*found, *foreign_programs(record), *strays(record, configured)]


def unit_files(record: Record, configured: Configured) -> list[Finding]:
    """Return every unit, drop-in and setting of systemd that is outside /usr and not the build's."""
    found = []
    for file in record.files:
        if file.kind != "f" or not _UNIT_FILE.fullmatch(file.path):
            continue
        if f"/usr{file.path}" in record.all_files or configured.wrote(file.path):
            continue
        whose = file.path.rpartition("/")[0].rpartition("/")[2].removesuffix(".d")
        says = f"changes {whose}" if file.path.endswith(".conf") else "is a unit that the build does not have"
        found.append(Finding("units are the build's", file.path, f"{says}{changed_lines(record, file.path)}"))
    default, shipped = record.all_files.get(_DEFAULT), record.all_files.get(f"/usr{_DEFAULT}")
    usual = ("multi-user.target", "graphical.target", *((shipped.target,) if shipped else ()))
    if default is not None and not default.target.endswith(usual):
        found.append(Finding("units are the build's", _DEFAULT, f"leads to {default.target}"))
    for setting in record.lines("environment"):
        if not setting.startswith(_OWN_ENVIRONMENT):
            name = setting.partition("=")[0]
            found.append(Finding("services have systemd's environment", name, f"says {setting}"))
    for line in record.file_lines("presets"):
        if record.shipped(line.file) or configured.wrote(line.file):
            continue
        if line.file != _IGNITIONS or set(line.text) & set("*?["):
            found.append(Finding("units are the build's", line.file, f"says {line.text.strip()}"))
    return found


def _generated_units(record: Record, presets: Presets) -> Iterator[Finding]:
    """Services, sockets, timers and paths that a generator has something want."""
    for file in record.files:
        made = _GENERATED.fullmatch(file.path)
        name = made.group(1) if made else ""
        if not name.endswith((".service", ".socket", ".timer", ".path")) or name.startswith(_MADE_UNITS):
            continue
        if f"/usr/lib/systemd/system/{name}" in record.all_files and presets.enables(name):
            continue
        yield Finding("only what presets enable is enabled", name, f"a generator wants it ({file.path})")


def _users_units(record: Record, configured: Configured) -> Iterator[Finding]:
    """Units enabled for the managers of users, and users whose manager runs without them."""
    for file in record.files:
        mine = configured.wrote(file.path) or f"/usr{file.path}" in record.all_files
        one = _FOR_USERS.fullmatch(file.path)
        if one and file.kind == "l" and not mine:
            yield Finding("users have the build's units", one.group(5), f"is enabled ({file.path})")
        if file.path.startswith("/var/lib/systemd/linger/") and not mine:
            yield Finding(
                "users have the build's units", file.name, "keeps a manager without being logged in"
            )


def _foreign_units(record: Record, configured: Configured) -> Iterator[Finding]:
    """Active services, sockets, timers and paths whose file is not the build's, or that have none."""
    for shown in record.shown("services"):
        name, fragment = shown.get("Id", ""), shown.get("FragmentPath", "")
        if shown.get("ActiveState") != "active" or name in configured.units or configured.wrote(fragment):
            continue
        if not fragment.startswith(BUILDS_UNITS):
            yield Finding("what runs is the build's", name, f"is active ({fragment or 'of no file'})")


def _also(record: Record) -> dict[str, list[str]]:
    """Return, for each unit, the units whose `Also=` enables it."""
    found: dict[str, list[str]] = {}
    for line in record.file_lines("install"):
        key, _, value = line.text.partition("=")
        if key == "Also":
            for unit in value.split():
                found.setdefault(unit, []).append(line.file.rpartition("/")[2])
    return found


def missing_units(record: Record, configured: Configured) -> list[Finding]:
    """Return every unit that a preset enables and no link does, and every one masked by hand."""
    presets = _build_presets(record)
    linked: set[str] = set()
    installable: set[str] = set()
    for line in record.file_lines("install"):
        if not line.text.startswith("Also="):
            installable.add(line.file.rpartition("/")[2])
    found = []
    for file in record.files:
        if _WANTS.fullmatch(file.path) or (file.path.startswith(f"{_ETC}/") and file.kind == "l"):
            linked |= {file.name, _unit_of(file)}
        masked = file.target == "/dev/null" and file.path.startswith((f"{_ETC}/", "/run/systemd/system/"))
        known = f"/usr{file.path}" in record.all_files or file.name in configured.masked
        if masked and not known:
            found.append(Finding("nothing is masked by hand", file.name, f"is masked in {file.path}"))
    for unit in presets.named:
        gone = unit in installable and unit not in linked and presets.enables(unit)
        if gone and unit not in configured.units:
            found.append(Finding("what presets enable is enabled", unit, "is not"))
    return found
