"""Rules for container engines: off until somebody wants one, never used before, and limited for users."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.artifact import Distro
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_ENGINES = {
    "dockerd", "containerd", "isulad", "crio", "cri-dockerd", "podman",
    "conmon", "containerd-shim", "containerd-shim-runc-v2", "isulad-shim",
}  # fmt: skip
_STARTS_ENGINE = re.compile(
    r"^Exec\w*=.*(dockerd|containerd|isulad|crio|podman +(system +service|play|kube|run|start))"
)
_ENGINE_SOCKETS = re.compile(r"/(docker|containerd|podman|isulad|crio)[^/]*\.sock$")
_CONTROLLERS = ("cpu", "memory", "pids")
"""`Delegate=` of user@.service in systemd since 252."""
_LIMITS = {"nofile": 65536, "nproc": 4096}
"""The least that a hard limit of limits.conf(5) may be; systemd's own for files is 524288."""
_STORES = re.compile(
    r"/var/lib/(?:containers/storage|docker|containerd|isulad|crio)/(?=.)"
    r"|/var/home/[^/]+/\.local/share/containers/storage/(?=.)"
)


def container_engines(record: Record, distro: Distro) -> list[Finding]:
    """Return every way in which Docker and similar engines are enabled, started, wanted or triggered."""
    return list(_engines(record, {"docker", "containerd"} if distro.docker_enabled else set()))


def users_limits(record: Record) -> list[Finding]:
    """Return what keeps containers of users from their limits: cgroup controllers, hard limits of logins."""
    rule = "containers of users can be limited"
    (controllers,) = record.lines("user-controllers")[:1] or [""]
    found = [
        Finding(rule, f"user@{one}", "is not handed to the managers of users")
        for one in _CONTROLLERS
        if controllers and one not in controllers.split()
    ]
    for line in record.file_lines("limits"):
        fields = line.text.split()
        least = _LIMITS.get(fields[2], 0) if len(fields) > 3 else 0
        if least and fields[3].isdigit() and int(fields[3]) < least:
            says = f"gives {fields[0]} no more than {fields[3]} of {fields[2]}; containers may need {least}"
            found.append(Finding("logins have room for containers", line.file, says))
    return found


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
