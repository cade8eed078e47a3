"""The protocol of a kept machine's control socket: one line of JSON in each direction."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel

from harness.errors import ConfigError, InfrastructureError

LONGEST = 64 * 1024


class Order(StrEnum):
    STOP = "stop"
    SCREENSHOT = "screenshot"
    AWAIT_SSH = "await-ssh"


class Request(BaseModel):
    """A request. `path` is for a screenshot; `seconds` is the longest wait."""

    order: Order
    path: Path | None = None
    seconds: float = 60.0


class Reply(BaseModel):
    """A reply. `error` is a sentence; `wrong_input` means that the user's request is impossible."""

    error: str = ""
    hint: str = ""
    wrong_input: bool = False


def ask(control: Path, request: Request) -> None:
    """Send a request to a keeper and wait until it is done.

    Raises ConfigError or InfrastructureError with the keeper's message, and InfrastructureError `no-keeper`
    when nobody answers.
    """
    try:
        with connected(control, seconds=request.seconds + 5) as connection:
            connection.sendall(request.model_dump_json().encode() + b"\n")
            answer = Reply.model_validate_json(read_line(connection))
    except (OSError, ValueError) as error:
        raise InfrastructureError(
            f"the keeper of {control.parent.name} does not answer: {error}", cause="no-keeper"
        ) from None
    if answer.error:
        if answer.wrong_input:
            raise ConfigError(answer.error, hint=answer.hint or None)
        raise InfrastructureError(answer.error, cause="keeper-refused")


def read_line(connection: socket.socket) -> bytes:
    """Read up to a newline or the end."""
    data = bytearray()
    while b"\n" not in data and len(data) < LONGEST:
        chunk = connection.recv(4096)
        if not chunk:
            break
        data += chunk
    return bytes(data.partition(b"\n")[0])


def listen(path: Path) -> socket.socket:
    """Return a listening Unix socket at `path`, however long the path is. The caller closes it."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as address:
            listener.bind(address)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def connected(path: Path, *, seconds: float | None = None) -> Iterator[socket.socket]:
    """Yield a connection to the socket at `path`. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        with _short(path) as address:
            connection.connect(address)
        yield connection


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a short name for the path: a socket's address has room for 107 bytes (unix(7))."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
