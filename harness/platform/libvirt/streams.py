"""Streams of libvirt as the sockets that a machine's pump reads."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from typing import Any

from harness.errors import InfrastructureError
from harness.machine.streams import CHUNK
from harness.platform.libvirt.library import load, translated
from harness.util.deadline import Deadline

_READABLE, _ERROR, _HANGUP = 1, 4, 8  # libvirt's VIR_STREAM_EVENT_*
_NONBLOCK = 1  # libvirt's VIR_STREAM_NONBLOCK
_NOTHING_NOW = -2


class Courier:
    """A thread that carries the data of one machine's streams.

    libvirt calls back in its event loop's thread, which must never wait; this thread may.
    """

    def __init__(self, name: str) -> None:
        self._parcels: queue.SimpleQueue[tuple[socket.socket, bytes] | None] = queue.SimpleQueue()
        self._streams: list[DomainStream] = []
        self._thread = threading.Thread(target=self._serve, name=f"courier {name}", daemon=True)
        self._thread.start()

    def carry(self, handle: Any, into: socket.socket) -> DomainStream:
        """Carry the bytes of an open stream into a socket, which is closed at the stream's end."""
        stream = DomainStream(handle, into, self._parcels)
        self._streams.append(stream)
        stream.start()
        return stream

    def close(self, *, drain: float = 3.0) -> None:
        """Wait for the ends of the streams, at most `drain` seconds, then end them."""
        limit = Deadline(drain)
        for stream in self._streams:
            stream.ended.wait(limit.remaining)
        self.end_all()
        self._parcels.put(None)
        self._thread.join(drain)

    def end_all(self) -> None:
        """End the streams: libvirt does not when the connection is lost."""
        for stream in self._streams:
            stream.end()

    def _serve(self) -> None:
        while (parcel := self._parcels.get()) is not None:
            into, data = parcel
            if not data:
                into.close()
                continue
            with contextlib.suppress(OSError):  # the machine is being closed
                into.sendall(data)


class DomainStream:
    """An open stream of a domain. Data goes into `parcels`."""

    def __init__(
        self, handle: Any, into: socket.socket, parcels: queue.SimpleQueue[tuple[socket.socket, bytes] | None]
    ) -> None:
        self._handle = handle
        self._into = into
        self._parcels = parcels
        self._lock = threading.Lock()
        self._over = False
        self.ended = threading.Event()

    def start(self) -> None:
        self._handle.eventAddCallback(_READABLE | _ERROR | _HANGUP, self._on_event, None)

    def end(self) -> None:
        """End the stream. May be called again."""
        with self._lock:
            if self._over:
                return
            self._over = True
        error = load().libvirtError
        # A callback that stays would be called again without end.
        with contextlib.suppress(error):
            self._handle.eventRemoveCallback()
        with contextlib.suppress(error):
            self._handle.abort()
        self._parcels.put((self._into, b""))
        self.ended.set()

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write to the guest, waiting for space within the deadline. Raises InfrastructureError."""
        rest = memoryview(data)

        def sent() -> bool:
            nonlocal rest
            with translated("typing on the console", cause="qemu-exited"):
                count = self._handle.send(bytes(rest))
            if count > 0:
                rest = rest[count:]
            return not rest

        if self._over:
            raise InfrastructureError("the console is closed", cause="qemu-exited")
        deadline.poll(sent, step="writing to the guest", interval=0.02)

    def _on_event(self, handle: Any, events: int, _: Any) -> None:
        try:
            while (data := handle.recv(CHUNK)) != _NOTHING_NOW:
                if not data:
                    self.end()
                    return
                self._parcels.put((self._into, data))
        except load().libvirtError:
            self.end()
            return
        if events & (_ERROR | _HANGUP):
            self.end()


def new_stream(connection: Any) -> Any:
    """Return a stream that never blocks, to be opened on a domain."""
    return connection.newStream(_NONBLOCK)
