"""The guard between a guest on the Internet and this host's loopback, frame by frame."""

from __future__ import annotations

import ipaddress
import socket
import struct

import pytest

from harness.platform.parts.loopback import LoopbackGuard, LoopbackRule

TCP, UDP, ICMP = 6, 17, 1
SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10


def tcp(port: int, flags: int = SYN) -> bytes:
    return struct.pack(">HHIIBBHHH", 40000, port, 1, 0, 5 << 4, flags, 64240, 0, 0)


def udp(port: int) -> bytes:
    return struct.pack(">HHHH", 40000, port, 12, 0) + b"data"


def frame(to: str, protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b"") -> bytes:
    """An Ethernet frame with an IP packet to `to`."""
    address = ipaddress.ip_address(to)
    if address.version == 6:
        source = ipaddress.ip_address("fec0::15").packed
        header = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + source + address.packed
        return bytes(12) + b"\x86\xdd" + header + payload
    length = 20 + len(options)
    first = bytes([4 << 4 | length // 4, 0]) + struct.pack(">HHH", length + len(payload), 1, fragment)
    source = ipaddress.ip_address("10.0.2.15").packed
    header = first + bytes([64, protocol, 0, 0]) + source + address.packed + options
    return bytes(12) + b"\x08\x00" + header + payload


ALLOWED = {
    "ARP": bytes(12) + b"\x08\x06" + bytes(28),
    "TCP to the Internet": frame("93.184.216.34", TCP, tcp(443)),
    "UDP to the Internet": frame("9.9.9.9", UDP, udp(53)),
    "a fragment to the Internet": frame("93.184.216.34", UDP, bytes(8), fragment=0x2001),
    "an answer to SSH": frame("10.0.2.2", TCP, tcp(50022, SYN_ACK)),
    "more of an answer to SSH": frame("10.0.2.2", TCP, tcp(50022, ACK)),
    "a ping": frame("10.0.2.2", ICMP, bytes(16)),
    "DHCP": frame("255.255.255.255", UDP, udp(67)),
    "a renewed lease": frame("10.0.2.2", UDP, udp(67)),
    "TFTP, which libslirp serves": frame("10.0.2.2", UDP, udp(69)),
    "a name": frame("10.0.2.3", UDP, udp(53)),
    "a long answer for a name": frame("10.0.2.3", TCP, tcp(53)),
    "a service that the test asked for": frame("10.0.2.100", TCP, tcp(80)),
    "IPv6 to the Internet": frame("2606:2800:220:1::1", TCP, tcp(443)),
    "IPv6 neighbours": frame("fe80::2", 58, bytes(24)),
    "a name over IPv6": frame("fec0::3", UDP, udp(53)),
}
BARRED = {
    "TCP to the gateway": frame("10.0.2.2", TCP, tcp(8080)),
    "TCP behind IP options": frame("10.0.2.2", TCP, tcp(8080), options=b"\x01\x01\x01\x00"),
    "TCP with odd flags": frame("10.0.2.2", TCP, tcp(8080, SYN | 0x28)),
    "UDP to the gateway": frame("10.0.2.2", UDP, udp(5353)),
    "a first fragment": frame("10.0.2.2", TCP, tcp(8080), fragment=0x2000),
    "a later fragment": frame("10.0.2.2", TCP, tcp(8080), fragment=0x0001),
    "half a TCP header": frame("10.0.2.2", TCP, tcp(8080)[:12]),
    "any other address of its network": frame("10.0.2.77", TCP, tcp(8080)),
    "another port of a service": frame("10.0.2.100", TCP, tcp(22)),
    "another port of the name server": frame("10.0.2.3", TCP, tcp(8080)),
    "loopback itself": frame("127.0.0.1", TCP, tcp(8080)),
    "the nameless address": frame("0.0.0.0", TCP, tcp(8080)),
    "everybody": frame("255.255.255.255", UDP, udp(8080)),
    "another protocol": frame("10.0.2.2", 132, bytes(16)),
    "the IPv6 gateway": frame("fec0::2", TCP, tcp(8080)),
    "IPv6 loopback": frame("::1", TCP, tcp(8080)),
    "IPv4 in IPv6": frame("::ffff:127.0.0.1", UDP, udp(8080)),
    "hidden behind an extension header": frame("fec0::2", 0, bytes(8) + tcp(8080)),
    "an extension header": frame("2606:2800:220:1::1", 43, bytes(8) + tcp(8080)),
    "a VLAN": bytes(12) + b"\x81\x00\x00\x01\x08\x00" + frame("10.0.2.2", TCP, tcp(8080))[14:],
    "too short": frame("10.0.2.2", TCP, b"")[:30],
}


@pytest.fixture
def rule() -> LoopbackRule:
    return LoopbackRule([("10.0.2.100", 80)])


@pytest.mark.parametrize("case", ALLOWED)
def test_what_may_pass(rule: LoopbackRule, case: str) -> None:
    assert rule.permits(ALLOWED[case])


@pytest.mark.parametrize("case", BARRED)
def test_what_may_not(rule: LoopbackRule, case: str) -> None:
    assert not rule.permits(BARRED[case])


def test_only_what_may_pass_is_handed_back_however_the_stream_is_cut(rule: LoopbackRule) -> None:
    frames = [*ALLOWED.values(), *BARRED.values()]
    stream = b"".join(struct.pack(">I", len(one)) + one for one in frames)
    expected = b"".join(struct.pack(">I", len(one)) + one for one in ALLOWED.values())
    for step in (1, 7, 4096):
        back, theirs = socket.socketpair()
        with back, theirs:
            guard = LoopbackGuard(back, rule.permits)
            for at in range(0, len(stream), step):
                guard(stream[at : at + step])
            assert theirs.recv(1 << 20) == expected


def test_a_qemu_that_does_not_read_costs_frames_and_nothing_else(rule: LoopbackRule) -> None:
    back, theirs = socket.socketpair()
    with back, theirs:
        guard = LoopbackGuard(back, lambda frame: True)
        one = struct.pack(">I", 60000) + bytes(60000)
        for _ in range(200):
            guard(one)
        received = bytearray()
        theirs.setblocking(False)
        while True:
            try:
                received += theirs.recv(1 << 20)
            except BlockingIOError:
                break
            guard(b"")
        assert len(received) % len(one) == 0, "no frame was cut"
        assert len(one) < len(received) < 200 * len(one)


def test_a_qemu_that_has_gone_is_no_error(rule: LoopbackRule) -> None:
    back, theirs = socket.socketpair()
    theirs.close()
    with back:
        LoopbackGuard(back, rule.permits)(struct.pack(">I", 42) + ALLOWED["ARP"])
