"""A guest on the Internet and this host's loopback: real QEMU, and frames made by hand."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from harness.machine.streams import StreamPump
from harness.platform.parts.loopback import LoopbackGuard, LoopbackRule, arguments
from harness.util.deadline import Deadline
from harness.util.process import spawn

pytestmark = pytest.mark.vm

OURS = ipaddress.ip_address("10.0.2.15")
GATEWAY = "10.0.2.2"
MAC = bytes.fromhex("525400123456")
SYN, SYN_ACK = 0x02, 0x12


class Wire:
    """The guest's end of QEMU's user network."""

    def __init__(self, frames: socket.socket) -> None:
        self._frames = frames
        self._gateway = bytes.fromhex("ffffffffffff")

    def meet(self) -> None:
        """Ask who the gateway is, by which it learns who we are."""
        words = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1)
        request = words + MAC + OURS.packed + bytes(6) + ipaddress.ip_address(GATEWAY).packed
        self._frames.send(self._gateway + MAC + b"\x08\x06" + request.ljust(46, b"\0"))
        answer = self._frames.recv(2048)
        assert answer[12:14] == b"\x08\x06"
        self._gateway = answer[6:12]

    def connects(self, address: str, port: int, *, seconds: float = 3.0) -> bool:
        """Return True when a SYN is answered by SYN and ACK within this time."""
        to = ipaddress.ip_address(address).packed
        segment = struct.pack(">HHIIBBHHH", 40000 + port % 1000, port, 7, 0, 5 << 4, SYN, 64240, 0, 0)
        pseudo = OURS.packed + to + struct.pack(">BBH", 0, 6, len(segment))
        segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
        header = struct.pack(">BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0) + OURS.packed + to
        header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
        self._frames.send(self._gateway + MAC + b"\x08\x00" + header + segment)
        limit = Deadline(seconds)
        while not limit.expired:
            self._frames.settimeout(max(0.01, limit.remaining))
            with suppress(TimeoutError):
                frame = self._frames.recv(2048)
                if frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[47] & SYN_ACK == SYN_ACK:
                    return struct.unpack(">H", frame[34:36]) == (port,)
        return False


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF & ~(total + (total >> 16))


@pytest.fixture
def own() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def wire(own: ExitStack, *, guarded: bool) -> Wire:
    """A QEMU without a machine whose user network leads to us, behind the guard or not."""
    guest, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    frames, to_guard = socket.socketpair()
    back, from_guard = socket.socketpair()
    for end in (guest, theirs, back, to_guard, from_guard):
        own.enter_context(end)
    # fmt: off
    argv = [
        "qemu-system-x86_64",
        "-machine", "none",
        "-nodefaults",
        "-display", "none",
        "-netdev", "user,id=net0,restrict=off",
        "-netdev", "hubport,id=port0,hubid=0,netdev=net0",
        "-netdev", f"dgram,id=guest,local.type=fd,local.str={theirs.fileno()}",
        "-netdev", "hubport,id=port1,hubid=0,netdev=guest",
        *(arguments([to_guard.fileno(), from_guard.fileno()]) if guarded else []),
    ]
    # fmt: on
    failures: list[Exception] = []
    pump = StreamPump("guard", failures.append)
    own.callback(pump.close)
    pump.attach(frames, LoopbackGuard(back, LoopbackRule().permits))
    fds = [theirs.fileno(), to_guard.fileno(), from_guard.fileno()]
    child = spawn(argv, name="qemu", pass_fds=fds, stderr=None)
    own.callback(child.stop)
    guest.settimeout(60)
    made = Wire(guest)
    made.meet()
    assert failures == []
    return made


def outside_address() -> str:
    """An address of this host that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this host has no network")
        return str(probe.getsockname()[0])


def test_without_the_guard_a_service_of_the_loopback_is_reached(own: ExitStack) -> None:
    listener = own.enter_context(socket.create_server(("127.0.0.1", 0)))
    assert wire(own, guarded=False).connects(GATEWAY, listener.getsockname()[1], seconds=30)


def test_the_guard_bars_the_loopback_and_nothing_else(own: ExitStack) -> None:
    inside = own.enter_context(socket.create_server(("127.0.0.1", 0)))
    outside = own.enter_context(socket.create_server((outside_address(), 0)))
    made = wire(own, guarded=True)
    for address in (GATEWAY, "10.0.2.77", "10.0.2.3", "127.0.0.1", "0.0.0.0"):
        assert not made.connects(address, inside.getsockname()[1], seconds=1), address
    inside.setblocking(False)
    with pytest.raises(BlockingIOError):
        inside.accept()
    assert made.connects(outside_address(), outside.getsockname()[1], seconds=30)
