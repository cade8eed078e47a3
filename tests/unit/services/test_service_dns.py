"""The name server answers over TCP as resolvers ask it."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from harness.services.services import Services


def ask(connection: socket.socket, name: str, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    message = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)
    connection.sendall(struct.pack("!H", len(message)) + message)
    with connection.makefile("rb") as stream:
        return stream.read(*struct.unpack("!H", stream.read(2)))


def test_a_known_name_has_its_address_and_others_do_not_exist(tmp_path: Path) -> None:
    services = Services(tmp_path)
    server = services.dns({"answer.kola.test": "192.0.2.7"})
    with server.listener.connect() as connection:
        reply = ask(connection, "Answer.kola.test")
        assert struct.unpack("!6H", reply[:12])[:4] == (4711, 0x8500, 1, 1)
        assert reply.endswith(bytes([0, 4, 192, 0, 2, 7]))
        # A known name without an IPv6 address exists; resolvers ask for both.
        assert struct.unpack("!6H", ask(connection, "answer.kola.test", 28)[:12])[1:4] == (0x8500, 1, 0)
        assert struct.unpack("!6H", ask(connection, "other.kola.test")[:12])[1] & 0xF == 3
    services.close()
    assert "answer.kola.test type 1: 192.0.2.7" in (tmp_path / "dns.log").read_text()
