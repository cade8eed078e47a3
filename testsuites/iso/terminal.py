"""A second console of a guest: /dev/hvc0, on which systemd starts a login prompt without a kernel argument.

A system that was installed without a console argument shows nothing on the serial line, as on real hardware.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import TracebackType

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.util.deadline import Deadline

_NAME = "kolahvc"
_SHOWN = 2000


class Terminal:
    """A terminal that types and reads through a socket at `path`, to which QEMU connects with `qemu_args`.

    Times are seconds, multiplied by `scale` on slow accelerators.
    """

    def __init__(self, path: Path, *, scale: float) -> None:
        self._scale = scale
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._connection: socket.socket | None = None
        self._seen = ""
        self.qemu_args = (
            "-chardev", f"socket,id={_NAME},path={path}",
            "-device", f"virtconsole,bus=ports.0,chardev={_NAME}",
        )  # fmt: skip

    def expect(self, pattern: str, *, timeout: float) -> str:
        """Return the output up to and including a match of the regular expression.

        Raises DeadlineExceeded.
        """
        expression = re.compile(pattern)
        deadline = Deadline(timeout * self._scale)
        while True:
            found = expression.search(self._seen)
            if found is not None:
                shown, self._seen = self._seen[: found.end()], self._seen[found.end() :]
                return shown
            if deadline.expired:
                raise DeadlineExceeded(
                    f"waiting for the console hvc0 to show {pattern!r}",
                    seconds=deadline.elapsed,
                    last_seen=self._seen[-_SHOWN:],
                )
            self._seen += self._read(min(1.0, deadline.remaining)).replace("\r", "")

    def forget(self) -> None:
        """Drop what was shown until now."""
        while self._read(0):
            pass
        self._seen = ""

    def send_line(self, text: str = "") -> None:
        """Type a line."""
        self._connected(10).sendall(text.encode() + b"\r")

    def _read(self, timeout: float) -> str:
        connection = self._connected(timeout)
        connection.settimeout(max(0.05, timeout))
        try:
            data = connection.recv(65536)
        except TimeoutError:
            return ""
        if not data:
            raise InfrastructureError("QEMU closed the console hvc0", cause="qemu-exited")
        return data.decode(errors="replace")

    def _connected(self, timeout: float) -> socket.socket:
        if self._connection is None:
            self._listener.settimeout(max(1.0, timeout))
            self._connection, _ = self._listener.accept()
        return self._connection

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
        self._listener.close()
