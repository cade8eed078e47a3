"""The sockets of a kept machine: the control socket, and the serial console."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from harness.errors import ConfigError, HarnessError
from harness.machine.machine import Machine
from harness.machine.probe import Since
from harness.util.deadline import Deadline
from kola.keep.protocol import Order, Reply, Request, listen, read_line

_SLICE = 0.5
_SEND_SECONDS = 30.0


class Doors:
    """The sockets, open from the machine's start to its end. `stop` is called for a request to end it."""

    def __init__(self, machine: Machine, control: Path, console: Path, stop: Callable[[], None]) -> None:
        self._machine = machine
        self._stop = stop
        self._closed = threading.Event()
        self._answered = bool(machine.boot_id)
        self._listeners = [
            _Listener(control, self._serve_control),
            _Listener(console, self._serve_console),
        ]

    def close(self) -> None:
        self._closed.set()
        for listener in self._listeners:
            listener.close()

    def _serve_control(self, connection: socket.socket) -> None:
        connection.settimeout(_SEND_SECONDS)
        try:
            reply = self._obey(Request.model_validate_json(read_line(connection)))
        except ValueError as error:
            reply = Reply(error=f"the keeper does not understand: {error}")
        connection.sendall(reply.model_dump_json().encode() + b"\n")

    def _obey(self, request: Request) -> Reply:
        try:
            match request.order:
                case Order.STOP:
                    self._stop()
                case Order.SCREENSHOT if not self._machine.instance.spec.display:
                    raise ConfigError(
                        "the machine has no display", hint="start one with kola spawn --display"
                    )
                case Order.SCREENSHOT:
                    self._machine.screenshot(request.path)
                case Order.AWAIT_SSH:
                    self._await_ssh(Deadline(request.seconds))
        except HarnessError as error:
            if isinstance(error, ConfigError):
                return Reply(error=error.message, hint=error.hint or "", wrong_input=True)
            return Reply(error=str(error))
        return Reply()

    def _await_ssh(self, deadline: Deadline) -> None:
        """Wait until sshd answers. One that has answered before may be rebooting: its last boot is over."""
        since = Since.now(self._machine.instance) if self._answered else None
        self._machine.sessions.socket_to_sshd(deadline, since=since).close()
        self._answered = True

    def _serve_console(self, connection: socket.socket) -> None:
        """Send the console's last output and everything that follows; type the received bytes."""
        connection.settimeout(_SEND_SECONDS)
        reader = threading.Thread(target=self._type, args=[connection], name="console keys", daemon=True)
        reader.start()
        tail = self._machine.instance.console
        position = 0
        while reader.is_alive() and not self._closed.is_set():
            shown, position = tail.read_on(position)
            if shown:
                connection.sendall(shown)
            tail.wait_growth(position, _SLICE)

    def _type(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            while not self._closed.is_set():
                if not selector.select(_SLICE):
                    continue
                keys = connection.recv(4096)
                if not keys:
                    return
                self._machine.instance.type_console(keys)


class _Listener:
    """A Unix socket whose connections are served in a thread each."""

    def __init__(self, path: Path, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._socket = listen(path)
        threading.Thread(target=self._accept, name=f"door {path.name}", daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=[connection], name="visitor", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._serve(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()
