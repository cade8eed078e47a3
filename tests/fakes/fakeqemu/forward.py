"""User-mode networking as seen from the host: every connection is accepted, whatever the guest does."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

SILENT = "silent"
REFUSING = "refusing"
MUTE = "mute"
OPEN = "open"


class Forward:
    """The host's side of one forwarded port. `serve` gets each connection the guest answers.

    Silent: the guest's TCP takes nothing. Mute: it takes connections, and nobody speaks on them.
    """

    def __init__(self, guest_port: int, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._state = SILENT
        self._held: list[socket.socket] = []
        self._served: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._guest_port = guest_port
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    def become(self, state: str) -> None:
        """Connections held so far meet the guest's new state, as its late answer to their SYN would."""
        with self._lock:
            self._state = state
            waiting, self._held = self._held, []
        for connected in waiting:
            self._meet(connected)

    def _accept(self) -> None:
        while True:
            connected, _ = self._listener.accept()
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._meet(connected)

    def _meet(self, connected: socket.socket) -> None:
        with self._lock:
            state = self._state
            if state in (SILENT, MUTE):
                self._held.append(connected)
            elif state == OPEN:
                self._served = [other for other in self._served if other.fileno() >= 0]
                self._served.append(connected)
        if state == REFUSING:
            reset(connected)
        elif state == OPEN:
            self._serve(connected)

    def table(self) -> str:
        """Return the connections in the format of `info usernet`."""
        with self._lock:
            held = "SYN_SENT" if self._state == SILENT else "ESTABLISHED"
            connections = [(held, one) for one in self._held]
            connections += [("ESTABLISHED", one) for one in self._served]
            rows = [_row("HOST_FORWARD", 17, "127.0.0.1", self._port, self._guest_port)]
            for state, connected in connections:
                with contextlib.suppress(OSError):
                    peer = connected.getpeername()
                    rows.append(_row(state, connected.fileno(), "127.0.0.1", peer[1], self._guest_port))
        head = "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ"
        return "\r\n".join(("Hub -1 (net0):", head, *rows, ""))


def _row(state: str, descriptor: int, source: str, source_port: int, guest_port: int) -> str:
    left = f"  {f'TCP[{state}]':<19} {descriptor:3} {source:>15} {source_port:5}"
    return f"{left}       10.0.2.15 {guest_port:5}     0     0"


def reset(connected: socket.socket) -> None:
    """Close with an RST instead of a FIN."""
    with contextlib.suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connected.close()
