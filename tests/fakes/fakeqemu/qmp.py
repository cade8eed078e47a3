"""The machine protocol's server side (qemu: docs/interop/qmp-spec.txt)."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fakeqemu.channels import Channel
from fakeqemu.picture import PNG

_VERSION = {"qemu": {"major": 8, "minor": 2, "micro": 0}, "package": "fake"}
GREETING = {"QMP": {"version": _VERSION, "capabilities": []}}

Commands = dict[str, Callable[[dict[str, Any]], Any]]


class Refused(Exception):
    """A command that ends in a QMP error; the text is its description."""


class QmpServer:
    """`mode`: `answers`; `silent` never greets; `deaf` greets and then answers nothing.

    Descriptors that come along (SCM_RIGHTS) are kept until `getfd` names them.
    """

    def __init__(self, channel: Channel, mode: str, commands: Commands) -> None:
        self._channel = channel
        self._mode = mode
        self._commands: Commands = {"getfd": self._name_descriptor} | commands
        self._received: list[int] = []
        self.descriptors: dict[str, int] = {}

    def serve(self) -> None:
        """Serve until the other side closes, then wait for ever, as QEMU runs on without its monitor."""
        if self._channel.socket is not None:
            if self._mode != "silent":
                self._send(GREETING)
            for line in self._lines(self._channel.socket):
                if self._mode == "answers":
                    self._answer(json.loads(line))
        threading.Event().wait()

    def event(self, name: str, data: dict[str, object]) -> None:
        now = time.time()
        stamp = {"seconds": int(now), "microseconds": int(now % 1 * 1e6)}
        self._send({"event": name, "data": data, "timestamp": stamp})

    def take_descriptor(self, uri: str) -> int:
        """The descriptor behind `fd:NAME`."""
        return self.descriptors.pop(uri.removeprefix("fd:"))

    def _lines(self, source: socket.socket) -> Iterator[bytes]:
        rest = b""
        while True:
            data, descriptors, _, _ = socket.recv_fds(source, 65536, 4)
            self._received += descriptors
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines

    def _name_descriptor(self, words: dict[str, Any]) -> None:
        if not self._received:
            raise Refused("No file descriptor supplied via SCM_RIGHTS")
        self.descriptors[words["fdname"]] = self._received.pop(0)

    def _answer(self, request: dict[str, Any]) -> None:
        number = request.get("id")
        try:
            result = self._execute(request["execute"], request.get("arguments", {}))
        except Refused as error:
            self._send({"error": {"class": "GenericError", "desc": str(error)}, "id": number})
        else:
            self._send({"return": {} if result is None else result, "id": number})

    def _execute(self, command: str, words: dict[str, Any]) -> Any:
        work = self._commands.get(command)
        if work is None:
            raise Refused(f"The command {command} has not been found")
        return work(words)

    def _send(self, message: dict[str, Any]) -> None:
        self._channel.send(json.dumps(message).encode() + b"\r\n")


def screendump(words: dict[str, Any]) -> None:
    try:
        Path(words["filename"]).write_bytes(PNG)
    except OSError as error:
        raise Refused(f"failed to open '{words['filename']}': {error.strerror}") from error


def write_state(descriptor: int, state: dict[str, Any]) -> None:
    with os.fdopen(descriptor, "w") as target:
        json.dump(state, target)


def read_state(descriptor: int) -> dict[str, Any]:
    with os.fdopen(descriptor) as source:
        found: dict[str, Any] = json.load(source)
    return found
