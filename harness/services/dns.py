"""A name server for guests, over TCP alone (RFC 1035, 4.2.2), since their network forwards nothing else."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Mapping

from harness.services.addresses import ServiceAddress
from harness.services.listener import Listener
from harness.services.log import ServiceLog

_HEADER = struct.Struct("!6H")
_LENGTH = struct.Struct("!H")
_A, _IN = 1, 1
_ANSWER, _RECURSION, _NO_SUCH_NAME, _NOT_IMPLEMENTED = 0x8400, 0x0180, 3, 4
_IDLE_SECONDS = 60


class NameServer:
    """Answers questions for IPv4 addresses from `names`; any other name does not exist.

    Guests reach it at `place`. They must ask over TCP: `options use-vc` of resolv.conf(5).
    """

    def __init__(self, names: Mapping[str, str], place: ServiceAddress, log: ServiceLog):
        self.place = place
        self.listener = Listener(place.name)
        self._names = {name.lower().rstrip("."): ipaddress.IPv4Address(at) for name, at in names.items()}
        self._log = log

    def start(self) -> None:
        self.listener.open(self._serve)

    def close(self) -> None:
        self.listener.close()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_IDLE_SECONDS)
        with connection.makefile("rwb") as stream:
            while len(prefix := stream.read(_LENGTH.size)) == _LENGTH.size:
                question = stream.read(*_LENGTH.unpack(prefix))
                reply = self.answer(question)
                stream.write(_LENGTH.pack(len(reply)) + reply)
                stream.flush()

    def answer(self, message: bytes) -> bytes:
        """The reply to one message of one question."""
        if len(message) < _HEADER.size:
            return b""
        identity, flags, count, *_ = _HEADER.unpack_from(message)
        if count != 1:
            return _HEADER.pack(identity, _ANSWER | flags & _RECURSION | _NOT_IMPLEMENTED, 0, 0, 0, 0)
        labels, at = [], _HEADER.size
        while at < len(message) and message[at]:
            length = message[at]
            labels.append(message[at + 1 : at + 1 + length].decode("ascii", "replace"))
            at += 1 + length
        question = message[_HEADER.size : at + 5]
        kind = int.from_bytes(message[at + 1 : at + 3], "big")
        name = ".".join(labels).lower()
        found = self._names.get(name)
        self._log.write(f"{name} type {kind}: {found or 'no such name'}")
        records = b""
        if found is not None and kind == _A:
            # A pointer to the question's name, at offset 12.
            records = struct.pack("!HHHIH", 0xC00C, _A, _IN, 60, 4) + found.packed
        status = _ANSWER | flags & _RECURSION | (0 if found is not None else _NO_SUCH_NAME)
        return _HEADER.pack(identity, status, 1, 1 if records else 0, 0, 0) + question + records
