"""The table of connections that QEMU's user-mode network prints (HMP: `info usernet`)."""

from __future__ import annotations

import re

from harness.errors import InfrastructureError

# First word of a row about a connection that the guest has accepted.
_TAKEN = "TCP[ESTABLISHED]"
_FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\s")


def ssh_port(table: str) -> int:
    """Return the port of QEMU's host that leads to the guest's port 22. Raises InfrastructureError."""
    found = _FORWARD.search(table)
    if found is None:
        raise InfrastructureError("QEMU names no forwarded SSH port", cause="no-ssh-port", evidence=table)
    return int(found[1])


def accepted(table: str) -> bool:
    """Return True when the guest has accepted a connection that is still open."""
    return _TAKEN in table
