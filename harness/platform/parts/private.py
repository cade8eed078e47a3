"""A private network of several machines of this host: addresses and names."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from harness.machine.machine import Machine
from harness.platform.parts.hub import Hub

_PROFILE = "/etc/NetworkManager/system-connections/kola-private.nmconnection"
_ADDRESS_SECONDS = 60


def address(number: int) -> str:
    """Return the address of the machine of this number, from 1."""
    return f"10.99.0.{number}"


def name(number: int) -> str:
    return f"node{number}"


@runtime_checkable
class Pluggable(Protocol):
    """A running machine that takes one more NIC."""

    def plug_nic(self, peer: socket.socket, mac: str) -> None:
        """Add a NIC whose frames are datagrams on a socket connected to `peer`."""
        ...


class HubNetwork:
    """Implements harness.platform.base.PrivateNetwork by a hub in this process.

    The NIC is plugged in after boot, so that clones of one template can have different ones. NetworkManager
    must run in the guest, as it does in NestOS.
    """

    def __init__(self) -> None:
        self._hub = Hub()

    def connect(self, machines: Sequence[Machine]) -> None:
        """Give each machine a NIC, an address and a name on this network, and tell every machine all names.

        The settings survive reboots. Raises what Machine.run raises, DeadlineExceeded.
        """
        everyone = range(1, len(machines) + 1)
        hosts = "".join(f"{address(number)} {name(number)}\n" for number in everyone)
        for number, machine in zip(everyone, machines, strict=True):
            self._introduce(machine, number, hosts)
        for number, machine in zip(everyone, machines, strict=True):
            _wait_for_address(machine, number)

    def _introduce(self, machine: Machine, number: int, hosts: str) -> None:
        mac = f"52:55:00:d1:57:{number:02x}"
        # The profile comes first: on an unknown NIC, NetworkManager would ask for an address by DHCP.
        machine.run(_script(number, hosts), sudo=True, input=_profile(mac, number)).check()
        with self._hub.port() as port:
            _pluggable(machine).plug_nic(port, mac)

    def close(self) -> None:
        self._hub.close()


def _pluggable(machine: Machine) -> Pluggable:
    if not isinstance(machine.instance, Pluggable):
        raise TypeError(f"{type(machine.instance).__name__} is not a machine of this platform")
    return machine.instance


def _script(number: int, hosts: str) -> str:
    return (
        f"umask 077 && cat > {_PROFILE} && nmcli connection load {_PROFILE} && "
        f"printf %s {shlex.quote(hosts)} >> /etc/hosts && chmod 644 /etc/hosts && "
        f"hostnamectl set-hostname {name(number)}"
    )


def _profile(mac: str, number: int) -> str:
    return (
        "[connection]\nid=kola-private\ntype=ethernet\nautoconnect=true\n"
        f"[ethernet]\nmac-address={mac}\n"
        f"[ipv4]\nmethod=manual\naddress1={address(number)}/24\nnever-default=true\n"
        "[ipv6]\nmethod=disabled\n"
    )


def _wait_for_address(machine: Machine, number: int) -> None:
    def shown() -> str:
        return machine.run("ip -4 -br address").stdout

    machine.deadline(_ADDRESS_SECONDS).poll(
        lambda: f" {address(number)}/" in shown(),
        step=f"waiting for {name(number)} to have its address on the private network",
        interval=0.3,
        last_seen=shown,
    )
