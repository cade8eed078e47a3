"""A command on a pseudo-terminal: keys are typed, the screen is read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_HIDDEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]|\r")


class Terminal:
    """The command's controlling terminal; `screen` is everything it has shown, without control sequences."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *argv],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=dict(env) if env is not None else None,
            cwd=cwd,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        self._raw = b""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def screen(self) -> str:
        return _HIDDEN.sub("", self._raw.decode(errors="replace"))

    @property
    def raw(self) -> str:
        """Everything that was shown, with its control sequences."""
        return self._raw.decode(errors="replace")

    @property
    def mode(self) -> list[Any]:
        """The terminal's attributes, as termios has them."""
        return termios.tcgetattr(self._ours)

    def signal(self, number: signal.Signals) -> None:
        """Signal the command."""
        os.kill(self._process.pid, number)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def expect(self, pattern: str, *, seconds: float = 30) -> re.Match[str]:
        """Wait for the pattern after what was matched last."""
        end = time.monotonic() + seconds
        while True:
            found = re.compile(pattern).search(self.screen, self._read)
            if found is not None:
                self._read = found.end()
                return found
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} within {seconds} s on the screen:\n{self.screen}"
            assert self._more(left), f"the command ended without {pattern!r}:\n{self.screen}"

    def end(self, *, seconds: float = 30) -> int:
        """Wait for the command's end; its status."""
        end = time.monotonic() + seconds
        while self._more(max(0.0, end - time.monotonic())):
            assert time.monotonic() < end, f"still running:\n{self.screen}"
        return self._process.wait(seconds)

    def _more(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            return False
        self._raw += data
        return bool(data)
