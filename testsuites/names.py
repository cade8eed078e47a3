"""A machine that asks a name server of the test's own."""

from __future__ import annotations

from collections.abc import Callable

from harness.machine.machine import Machine
from harness.services import Services

NAME, ADDRESS = "answer.kola.test", "192.0.2.7"
"""A name that nobody else knows, and its address."""


def asking(services: Services, new_machine: Callable[..., Machine]) -> Machine:
    """Return a machine whose resolv.conf names a server that knows NAME.

    The server answers over TCP alone (`use-vc`), as the network of a machine forwards nothing else.
    """
    server = services.dns({NAME: ADDRESS})
    machine = new_machine()
    text = f"nameserver {server.place.address}\\noptions use-vc\\n"
    machine.run(f"rm -f /etc/resolv.conf; printf '{text}' > /etc/resolv.conf", sudo=True).check()
    return machine
