"""The services of this host that a guest reaches, as words of `-netdev user`."""

from __future__ import annotations

from harness.machine.spec import GuestForward, MachineSpec
from harness.util.process import require

CONNECTOR = "socat"
_LINGER = 60
"""Seconds an answer may take once the guest has said all it had to say (half-close)."""


def words(spec: MachineSpec) -> str:
    """Options to append, each after a comma; empty without services.

    Raises ConfigError without the connector: QEMU runs one for each connection, since the other form of
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
    # Standard error is the guest's connection too: what socat has to complain of is not for the guest.
    command = f"{CONNECTOR} -lf /dev/null -t {_LINGER} - ABSTRACT-CONNECT:{forward.socket}"
    return f"tcp:{forward.address}:{forward.port}-cmd:{command}"
