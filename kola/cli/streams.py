"""The standard streams of a command: closed ones, full ones, and terminals of any encoding."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable
from typing import TextIO

from harness.util.language import tr

_STREAMS = ("stdin", "stdout", "stderr")
_LONGEST_WORD = 300
_LONGEST_LINE = 1000
_MOST_LINES = 200


def prepare() -> None:
    """Open closed streams as /dev/null, so that no other file gets their number, and make encoding never
    fail.

    Characters that the terminal's encoding lacks become `?`.
    """
    for number, name in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def write_utf8(text: str) -> None:
    """Write a document to standard output in UTF-8, whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(text)


def finish(status: int) -> int:
    """Flush, and return the exit status, which becomes 1 when output could not be written.

    A reader that closed the pipe is not an error.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        said = tr("kola: standard output cannot be written: {error}", error=error.strerror)
        print(said, file=sys.stderr)
        return status or 1
    return status


def outlive() -> None:
    """From now on discard output that cannot be printed, so that the run survives its console."""
    told = _Told()
    sys.stdout = _Enduring(sys.stdout, told)
    sys.stderr = _Enduring(sys.stderr, told)


def sane(message: str) -> str:
    """Return a message of readable length: overlong words, lines and lists are cut."""
    lines = message.splitlines()
    shown = [_cut_line(line) for line in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        shown.append(tr("… and {count} more lines", count=len(lines) - _MOST_LINES))
    return "\n".join(shown)


def _cut_line(line: str) -> str:
    line = re.sub(
        rf"\S{{{_LONGEST_WORD},}}",
        lambda found: f"{found[0][: _LONGEST_WORD // 2]}…[{len(found[0])} characters]",
        line,
    )
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _silence(stream: TextIO) -> None:
    """Redirect the descriptor of a stream to /dev/null, so that flushing at exit does not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Told:
    """A function that reports once, on standard error if possible, that output is lost."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            message = tr("kola: standard output is lost ({error}); the run goes on", error=error.strerror)
            sys.stderr.write(f"{message}\n")
            sys.stderr.flush()


class _Enduring(io.TextIOBase):
    """A text stream that never fails: after its first error it writes to /dev/null."""

    def __init__(self, stream: TextIO, tell: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._tell = tell

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lost(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        _silence(self._stream)
        self._tell(error)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute that io.TextIOBase leaves unset
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # as above
        return self._stream.errors

    @property
    def buffer(self) -> io.BufferedIOBase:
        return self._stream.buffer  # type: ignore[return-value]  # a BinaryIO in typeshed

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True
