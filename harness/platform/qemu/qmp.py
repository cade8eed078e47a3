"""QEMU Machine Protocol over a connected socket (qemu: docs/interop/qmp-spec.txt)."""

from __future__ import annotations

import json
import select
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.platform.parts.monitor import MonitorRefusal
from harness.util.deadline import Deadline


class QmpError(MonitorRefusal):
    """Raised when QEMU refuses a command. `error_class` is QEMU's."""

    def __init__(self, command: str, error_class: str, description: str) -> None:
        self.error_class = error_class
        super().__init__(command, description)


class Qmp:
    """A QMP client.

    Any thread executes commands; `feed_line` takes answers and events in the stream's thread.
    """

    def __init__(self, writer: socket.socket, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self._writer = writer
        self._on_event = on_event
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._next = 0
        self._greeting: Future[Any] = Future()
        self._closed = False
        self._descriptor: int | None = None

    def feed_line(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if "QMP" in message:
            self._greeting.set_result(message["QMP"])
        elif "event" in message:
            self._on_event(message["event"], message.get("data", {}))
        elif (waiting := self._waiting.pop(message.get("id", -1), None)) is not None:
            waiting.set_result(message)

    def feed_end(self) -> None:
        """Record the end of the connection; commands under way fail."""
        with self._lock:
            self._closed = True
            pending = [self._greeting, *self._waiting.values()]
            self._waiting.clear()
        gone = InfrastructureError("QEMU closed its control connection", cause="qemu-exited")
        for future in pending:
            if not future.done():
                future.set_exception(gone)

    def negotiate(self, deadline: Deadline) -> None:
        """Wait for the greeting and leave capabilities mode."""
        self._await(self._greeting, deadline, "waiting for QEMU's greeting")
        self.execute("qmp_capabilities", deadline=deadline)

    def execute(self, command: str, *, deadline: Deadline, **arguments: Any) -> Any:
        """Execute a command and return its `return` value. Raises QmpError when QEMU refuses.

        Underscores in argument names become dashes, as QMP spells them.
        """
        answer: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise InfrastructureError("QEMU is gone", cause="qemu-exited")
            self._next += 1
            number = self._next
            self._waiting[number] = answer
            message: dict[str, Any] = {"execute": command, "id": number}
            if arguments:
                message["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
            text = json.dumps(message).encode() + b"\n"
            if self._descriptor is not None:
                socket.send_fds(self._writer, [text[:1]], [self._descriptor])
                text, self._descriptor = text[1:], None
            send_all(self._writer, text, deadline)
        reply = self._await(answer, deadline, f"waiting for QEMU to answer {command}")
        if "error" in reply:
            raise QmpError(command, reply["error"].get("class", ""), reply["error"].get("desc", ""))
        return reply["return"]

    def send_descriptor(self, name: str, descriptor: int, *, deadline: Deadline) -> None:
        """Pass QEMU an open file under a name (getfd).

        The descriptor travels with the command (SCM_RIGHTS).
        """
        self._descriptor = descriptor
        self.execute("getfd", deadline=deadline, fdname=name)

    def human(self, line: str, *, deadline: Deadline) -> str:
        """Execute a command of the human monitor, for functions that QMP lacks."""
        return str(self.execute("human-monitor-command", deadline=deadline, command_line=line)).replace(
            "\r", ""
        )

    def _await(self, future: Future[Any], deadline: Deadline, step: str) -> Any:
        try:
            return future.result(timeout=deadline.remaining)
        except FutureTimeout:
            raise DeadlineExceeded(step, seconds=deadline.elapsed) from None


def send_all(target: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Write to a non-blocking socket, waiting for space within the deadline."""
    view = memoryview(data)
    while view:
        try:
            view = view[target.send(view) :]
        except BlockingIOError:
            select.select([], [target], [], min(0.5, deadline.remaining))
            deadline.check("writing to the guest")
        except (BrokenPipeError, ConnectionResetError) as error:
            raise InfrastructureError("QEMU closed the connection", cause="qemu-exited") from error
