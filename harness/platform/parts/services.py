"""The services of this host that a guest reaches, as options of `-netdev user`."""

from __future__ import annotations

from harness.machine.spec import GuestForward, MachineSpec
from harness.util.process import require

CONNECTOR = "socat"
_LINGER = 60
"""Seconds that an answer may take once the guest has sent everything (half-close)."""


def words(spec: MachineSpec) -> str:
    """Return options to append, each after a comma; empty without services.

    Raises ConfigError without the connector, socat. QEMU runs one for each connection: the other form of
    guestfwd, a character device, is a single stream and would serve one connection at a time.
    """
    reachable = spec.reachable
    if reachable.forwards:
        require(CONNECTOR, package="socat")
    found = [f"guestfwd={_rule(forward)}" for forward in reachable.forwards]
    if reachable.tftp is not None:
        found.append(f"tftp={reachable.tftp}")
    return "".join("," + word.replace(",", ",,") for word in found)


def _rule(forward: GuestForward) -> str:
    # Standard error would go to the guest's connection; socat's complaints are not for the guest.
    command = f"{CONNECTOR} -lf /dev/null -t {_LINGER} - ABSTRACT-CONNECT:{forward.socket}"
    return f"tcp:{forward.address}:{forward.port}-cmd:{command}"
