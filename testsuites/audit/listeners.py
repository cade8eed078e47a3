"""Rules for sockets on which somebody listens: TCP, UDP, vsock and UNIX."""

from __future__ import annotations

from collections.abc import Iterator

from harness.artifact import Distro
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record
from testsuites.audit.units import BUILDS_UNITS

_LOOPBACK = ("127.", "::1")


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
            if unit.endswith((".service", ".socket")) and fragment and not fragment.startswith(BUILDS_UNITS):
                yield Finding("UNIX sockets are the build's", one.path, f"is {unit}'s ({fragment})")
