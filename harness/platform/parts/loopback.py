"""A packet filter for guests on the Internet: it drops traffic to services of this host's loopback.

QEMU's user networking (libslirp) connects to 127.0.0.1 for traffic that the guest sends into its own network,
and QEMU does not offer libslirp's `disable_host_loopback`. A filter-redirector (qemu-options) therefore
passes every frame to us before libslirp sees it, and we return the permitted ones.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from harness.machine.spec import MachineSpec

_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_TCP, _UDP, _ICMP, _ICMPV6 = 6, 17, 1, 58
_SYN, _ACK = 0x02, 0x10
_NETWORK = ipaddress.ip_network("10.0.2.0/24")
_GATEWAY = ipaddress.ip_address("10.0.2.2")
_NAME_SERVERS = (ipaddress.ip_address("10.0.2.3"), ipaddress.ip_address("fec0::3"))
_DHCP_SERVER, _TFTP, _DNS, _DHCPV6_SERVER = 67, 69, 53, 547
# Addresses for which libslirp connects to this host itself.
_HERE = (
    _NETWORK,
    *(ipaddress.ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "255.255.255.255/32")),
    *(ipaddress.ip_network(text) for text in ("fec0::/64", "fe80::/10", "::/96", "::ffff:0:0/96")),
)
_LONGEST_FRAME = 1 << 17
_BACKLOG = 4 << 20

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class LoopbackRule:
    """The rule for single Ethernet frames.

    `services` are the (address, port) pairs that stay open over TCP.
    """

    def __init__(self, services: Collection[tuple[str, int]] = ()) -> None:
        self._services = {(ipaddress.ip_address(address), port) for address, port in services}

    def permits(self, frame: bytes) -> bool:
        """Return True when a frame may go to libslirp.

        TCP is judged by its first segment: without it libslirp refuses all others. Answers to SSH, whose
        connections come in from the gateway's address, are not first segments.
        """
        if len(frame) < 34:
            return False
        kind = int.from_bytes(frame[12:14], "big")
        if kind == _ARP:
            return True
        if kind == _IPV4:
            header = 4 * (frame[14] & 0x0F)
            fragment = int.from_bytes(frame[20:22], "big") & 0x3FFF
            address: Address = ipaddress.IPv4Address(frame[30:34])
            return self._packet(frame[23], address, frame[14 + header :], whole=not fragment)
        if kind == _IPV6 and len(frame) >= 54:
            return self._packet(frame[20], ipaddress.IPv6Address(frame[38:54]), frame[54:], whole=True)
        return False

    def _packet(self, protocol: int, address: Address, payload: bytes, *, whole: bool) -> bool:
        if protocol == (_ICMP if address.version == 4 else _ICMPV6):
            return True
        if not any(address in network for network in _HERE):
            # An IPv6 packet with extension headers does not show its content.
            return address.version == 4 or protocol in (_TCP, _UDP)
        if not whole or protocol not in (_TCP, _UDP) or len(payload) < 8:
            return False
        port = int.from_bytes(payload[2:4], "big")
        if port == _DNS and address in _NAME_SERVERS:
            return True
        if protocol == _TCP:
            first = len(payload) < 14 or payload[13] & (_SYN | _ACK) == _SYN
            return not first or (address, port) in self._services
        if port == _DHCP_SERVER:
            return address in _NETWORK or address == ipaddress.ip_address("255.255.255.255")
        return port == _TFTP and address == _GATEWAY


class LoopbackGuard:
    """A reader of filter-redirector's stream: each frame after its length in four bytes, big-endian.

    `back` takes the permitted frames, in the same form. Frames that QEMU does not read in time are lost, as
    on any network: waiting for QEMU could make it wait for us.
    """

    def __init__(self, back: socket.socket, permits: Callable[[bytes], bool]) -> None:
        back.setblocking(False)
        self._back = back
        self._permits = permits
        self._pending = bytearray()
        self._unsent = bytearray()

    def __call__(self, data: bytes) -> None:
        self._pending += data
        while len(self._pending) >= 4:
            (size,) = struct.unpack_from(">I", self._pending)
            if size > _LONGEST_FRAME:
                raise ValueError(f"a frame of {size} bytes is none")
            if len(self._pending) < 4 + size:
                break
            frame = bytes(self._pending[4 : 4 + size])
            if len(self._unsent) < _BACKLOG and self._permits(frame):
                self._unsent += self._pending[: 4 + size]
            del self._pending[: 4 + size]
        self._flush()

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = self._back.send(self._unsent)
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):
                self._unsent.clear()  # QEMU is ending
                return
            del self._unsent[:sent]


@dataclass(frozen=True)
class Guarded:
    """The two connections of one QEMU's filter: `theirs` are QEMU's ends; `guard` reads `frames`."""

    theirs: tuple[socket.socket, socket.socket]
    frames: socket.socket
    guard: LoopbackGuard


def connect(spec: MachineSpec, owned: ExitStack) -> Guarded | None:
    """Guard a machine that is on the Internet; QEMU restricts the network of others.

    Our ends live on `owned`; the caller closes QEMU's once it has them.
    """
    if not (spec.network and spec.internet):
        return None
    frames, their_out = socket.socketpair()
    back, their_in = socket.socketpair()
    for ours in (frames, back):
        owned.callback(ours.close)
    back.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    services = [(forward.address, forward.port) for forward in spec.reachable.forwards]
    return Guarded((their_out, their_in), frames, LoopbackGuard(back, LoopbackRule(services).permits))


def arguments(theirs: Sequence[int]) -> list[str]:
    """Return QEMU's arguments: frames that the guest sends on `net0` pass through the guard."""
    if not theirs:
        return []
    to_guard, from_guard = theirs
    return [
        "-chardev", f"socket,id=to-guard,fd={to_guard}",
        "-chardev", f"socket,id=from-guard,fd={from_guard}",
        "-object", "filter-redirector,id=guard,netdev=net0,queue=rx,outdev=to-guard,indev=from-guard",
    ]  # fmt: skip
