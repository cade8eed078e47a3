"""Rules for services: units against the presets, container engines, failures, restarts, listeners."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.artifact import Distro
from testsuites.audit.configured import Configured
from testsuites.audit.files import changed_lines
from testsuites.audit.finding import Finding
from testsuites.audit.items import FileFact
from testsuites.audit.presets import Presets
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
_UNITS = ("/usr/lib/systemd/", "/run/systemd/generator", "/lib/systemd/")
"""Beginnings of paths of the build's units."""
_ENGINES = {
    "dockerd", "containerd", "isulad", "crio", "cri-dockerd", "podman",
    "conmon", "containerd-shim", "containerd-shim-runc-v2", "isulad-shim",
}  # fmt: skip
_STARTS_ENGINE = re.compile(
    r"^Exec\w*=.*(dockerd|containerd|isulad|crio|podman +(system +service|play|kube|run|start))"
)
_ENGINE_SOCKETS = re.compile(r"/(docker|containerd|podman|isulad|crio)[^/]*\.sock$")
_WAIT_ONLINE = re.compile(r"path=\S*/(nm-online|systemd-networkd-wait-online)\b")
_LOOPBACK = ("127.", "::1")
_AT_WORK = {"activating", "deactivating", "reloading"}


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
    return [*found, *_foreign_programs(record), *_strays(record, configured)]


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


def _foreign_programs(record: Record) -> Iterator[Finding]:
    """Processes of a program that is not below /usr."""
    for pid, program in record.programs.items():
        if not program.startswith("/usr/"):
            unit = record.cgroups[pid].unit if pid in record.cgroups else ""
            yield Finding("what runs is the build's", program, f"runs as process {pid} ({unit or 'no unit'})")


def _strays(record: Record, configured: Configured) -> Iterator[Finding]:
    """Processes that hide: named like a thread of the kernel, in no unit, or in a unit that did not start
    them.
    """
    rule = "what runs was started by its unit"
    started = {
        one.get("Id", ""): {one["MainPID"], one.get("ControlPID", "")}
        for one in record.shown("services")
        if "MainPID" in one
    }
    names = {int(row[0]): row[3] for line in record.lines("processes") if len(row := line.split(None, 3)) > 3}
    for pid, program in record.programs.items():
        process = record.cgroups.get(pid)
        if process is None or not program or pid not in record.processes_later:
            continue  # services that are started on demand come and go meanwhile
        shown = f"{program} (process {pid})"
        if names.get(pid, "").startswith("["):
            yield Finding(rule, shown, f"calls itself {names[pid]}, like a thread of the kernel")
        path = process.cgroup.partition("::")[2]
        parent = record.cgroups.get(process.parent)
        own = parent is not None and parent.unit == process.unit
        if path == "/" or (path == "/init.scope" and pid != 1):
            yield Finding(rule, shown, f"is in {'no unit' if path == '/' else 'init.scope'}")
        elif path.startswith("/system.slice/") and process.unit in started and not own:
            ours = process.unit in configured.units or process.unit.startswith("kola-")
            if str(pid) not in started[process.unit] and not ours:
                yield Finding(rule, shown, f"is in {process.unit}, which did not start it")


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
        if not fragment.startswith(_UNITS):
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


def container_engines(record: Record, distro: Distro) -> list[Finding]:
    """Return every way in which Docker and similar engines are enabled, started, wanted or triggered."""
    return list(_engines(record, {"docker", "containerd"} if distro.docker_enabled else set()))


_STORES = re.compile(
    r"/var/lib/(?:containers/storage|docker|containerd|isulad|crio)/(?=.)"
    r"|/var/home/[^/]+/\.local/share/containers/storage/(?=.)"
)


def _used_engines(record: Record, on: set[str]) -> Iterator[Finding]:
    """Stores of engines that somebody has used already: a build, or who came before the first user."""
    used: dict[str, int] = {}
    for file in record.files:
        if file.kind == "f" and (inside := _STORES.match(file.path)):
            used[inside.group()] = used.get(inside.group(), 0) + 1
    for store, count in used.items():
        if not any(f"/{name}/" in store for name in on):
            says = f"has {count} files of an earlier use"
            yield Finding("container engines begin empty", store, says)


def _engines(record: Record, on: set[str]) -> Iterator[Finding]:
    rule = "container engines are off"
    yield from _used_engines(record, on)
    shown = record.shown("engines")
    own = {unit.get("Id", "") for unit in shown}
    for unit in shown:
        name = unit.get("Id", "")
        if unit.get("LoadState") != "loaded" or name.rpartition(".")[0] in on:
            continue
        if unit.get("ActiveState") not in ("inactive", ""):
            yield Finding(rule, name, f"is {unit['ActiveState']}")
        if unit.get("UnitFileState") in ("enabled", "enabled-runtime", "linked", "linked-runtime", "alias"):
            yield Finding(rule, name, f"is {unit['UnitFileState']}")
        for key in ("TriggeredBy", "WantedBy", "RequiredBy"):
            others = set(unit.get(key, "").split()) - own
            if others:
                yield Finding(rule, name, f"{key} {' '.join(sorted(others))}")
    for line in record.lines("processes"):
        fields = line.split()
        if (
            len(fields) > 2
            and fields[2] in _ENGINES
            and fields[2].rstrip("d") not in on
            and fields[2] not in on
        ):
            yield Finding(rule, fields[2], f"runs as process {fields[0]} of {fields[1]}")
    for one in record.units:
        name, _, kind = one.name.rpartition(".")
        if one.manager != "system" and name in _ENGINES | {"docker"} and one.active not in ("inactive", ""):
            yield Finding(rule, f"{name}.{kind} of {one.manager}", f"is {one.active}")
    yield from _other_roads(record)
    for line in record.lines("unix-sockets"):
        if (path := _ENGINE_SOCKETS.search(line.split()[4] if len(line.split()) > 4 else "")) and not on:
            yield Finding(rule, path.group(0).lstrip("/"), "is a socket that somebody listens on")


def _other_roads(record: Record) -> Iterator[Finding]:
    """Units of other names that start an engine or a container, and files from which quadlet makes some."""
    rule = "container engines are off"
    for line in record.file_lines("unit-files"):
        if _STARTS_ENGINE.search(line.text) and not line.file.startswith("/usr/lib/"):
            yield Finding(rule, line.file, f"says {line.text[:60]}")
    for file in record.files:
        if file.kind != "d" and file.path.startswith(
            ("/etc/containers/systemd/", "/run/containers/systemd/")
        ):
            yield Finding(rule, file.path, "makes a unit that runs a container")


def waits_for_network(record: Record) -> list[Finding]:
    """A service that really waits comes before network-online.target."""
    rule = "network-online.target waits"
    found = []
    waits = False
    for shown in record.shown("wait-online"):
        name = shown.get("Id", "")
        if shown.get("LoadState") != "loaded" or shown.get("UnitFileState") not in ("enabled", "static"):
            continue
        if not _WAIT_ONLINE.search(shown.get("ExecStart", "")):
            found.append(Finding(rule, name, f"runs {shown.get('ExecStart', '')[:60] or 'nothing'}"))
        elif "network-online.target" not in shown.get("Before", "").split():
            found.append(Finding(rule, name, "is not ordered before network-online.target"))
        elif shown.get("ActiveState") == "failed":
            found.append(Finding(rule, name, "failed"))
        else:
            waits = True
    if not waits and not found:
        found.append(Finding(rule, "network-online.target", "no service that waits is enabled"))
    return found


def unwell_units(record: Record) -> list[Finding]:
    """Return every unit of every manager that failed, has not finished starting, restarts, or cannot be
    loaded.
    """
    found = []
    for unit in record.units:
        name = unit.name if unit.manager == "system" else f"{unit.name} of {unit.manager}"
        if unit.active == "failed":
            found.append(Finding("no unit fails", name, "failed"))
        elif unit.sub == "auto-restart":
            found.append(Finding("no unit restarts", name, "has ended and waits to be started again"))
        elif unit.active in _AT_WORK and not unit.name.endswith((".device", ".scope")):
            found.append(Finding("every unit ends its start", name, f"is {unit.active} ({unit.sub})"))
        elif unit.load in ("bad-setting", "error"):
            found.append(Finding("every unit can be read", name, f"is {unit.load}"))
    for line in record.lines("jobs"):
        fields = line.split()
        if len(fields) >= 4 and fields[0].isdigit():
            found.append(
                Finding("every unit ends its start", fields[1], f"its {fields[2]} job is {fields[3]}")
            )
    for shown in record.shown("services"):
        # Watchdogs fire when a host starves its guest; a second restart has another cause.
        watched = shown.get("WatchdogUSec", "0") not in ("0", "", "infinity")
        if shown.get("NRestarts", "0") not in (("0", "", "1") if watched else ("0", "")):
            found.append(
                Finding("no unit restarts", shown.get("Id", "?"), f"was restarted {shown['NRestarts']} times")
            )
    return found


def listeners(record: Record, distro: Distro) -> list[Finding]:
    """Return every TCP, UDP or vsock listener, on any address, that the profile does not list."""
    owners: dict[tuple[str, int], set[str]] = {}
    inside = {(one.protocol, one.port) for one in distro.allowed_listeners if one.loopback}
    for listener in distro.allowed_listeners:
        owners.setdefault((listener.protocol, listener.port), set()).add(listener.process)
    found = []
    for socket in record.sockets:
        where = f"{socket.protocol} {socket.address}:{socket.port}"
        processes = owners.get((socket.protocol, socket.port))
        if processes is None:
            found.append(
                Finding(
                    "only known services listen",
                    where,
                    f"is {socket.process or 'nobody knows whose'}",
                    "allowed_listeners",
                )
            )
        elif socket.process not in processes:
            whose = " or ".join(sorted(processes))
            found.append(Finding("ports are their services'", where, f"is {socket.process}, not {whose}"))
        elif (socket.protocol, socket.port) in inside and not socket.address.startswith(_LOOPBACK):
            says = f"is {socket.process}, which listens for other machines"
            found.append(Finding("services of the machine are its own", where, says))
    return [*found, *_unix_listeners(record)]


def _unix_listeners(record: Record) -> Iterator[Finding]:
    """UNIX sockets outside /run, and those of a unit that the build does not have."""
    units = record.shown("services")
    fragments = {one.get("Id", ""): one.get("FragmentPath", "") for one in units}
    makers = {
        path: one.get("Id", "")
        for one in units
        for path in (word for word in one.get("Listen", "").split() if word.startswith(("/", "@")))
    }
    for one in record.unix_sockets:
        if one.path.startswith("/") and not one.path.startswith(("/run/", "/var/run/")):
            yield Finding("UNIX sockets are in /run", one.path, "somebody listens there")
        owners = {makers[one.path]} if one.path in makers else set()
        for pid in one.pids if not owners else ():
            process = record.cgroups.get(pid)
            if process is not None and pid != 1:
                owners.add(process.unit)
        for unit in sorted(owners):
            fragment = fragments.get(unit, "")
            if unit.endswith((".service", ".socket")) and fragment and not fragment.startswith(_UNITS):
                yield Finding("UNIX sockets are the build's", one.path, f"is {unit}'s ({fragment})")
