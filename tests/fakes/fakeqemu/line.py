"""The guest's end of one TCP connection: it lives no faster than the guest."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from fakeqemu.forward import reset

if TYPE_CHECKING:
    from fakeqemu.guest import Guest


class GuestLine:
    """A socket-like object for paramiko. A frozen guest neither reads nor answers."""

    def __init__(self, connected: socket.socket, guest: Guest) -> None:
        self.connected = connected
        self.forgotten = False
        self._guest = guest

    def recv(self, count: int) -> bytes:
        data = self.connected.recv(count)
        self._guest.running.wait()
        if self.forgotten:
            self._guest.network_up.wait()
            reset(self.connected)
            return b""
        return data

    def send(self, data: bytes) -> int:
        self._guest.running.wait()
        return len(data) if self.forgotten else self.connected.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connected, name)
