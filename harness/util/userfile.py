"""Opening of files that a user names: each must be a regular file of sane size."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from harness.errors import ConfigError
from harness.util.sizes import MIB, show_size

LIMIT = 16 * MIB
"""Default size limit in bytes. A machine could not boot with a larger config in useful time."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_user_file(path: Path) -> BinaryIO:
    """Open a regular file for reading. A shell's `<(command)`, an anonymous pipe, counts as one.

    Raises ConfigError for a missing file, a directory, a device, a named pipe.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError:
        raise ConfigError(f"not a file name: {os.fspath(path)!r}") from None
    try:
        _require_file(descriptor, path)
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_user_bytes(path: Path, *, limit: int = LIMIT) -> bytes:
    """Read a whole file. Raises ConfigError as `open_user_file` does, and for more than `limit` bytes."""
    with open_user_file(path) as file:
        return _read_all(file, path, limit)


def read_user_text(path: Path, *, limit: int = LIMIT) -> str:
    """Read a whole text file in UTF-8, with or without a byte order mark.

    Raises ConfigError as `read_user_bytes` does, and with the line of the first byte that is not UTF-8.
    """
    return decode_user_text(read_user_bytes(path, limit=limit), file=path)


def read_standard_input(*, limit: int = LIMIT) -> str:
    """Read UTF-8 text from standard input. Raises ConfigError as `read_user_text` does."""
    name = Path("<stdin>")
    if sys.stdin is None:
        raise ConfigError("standard input is closed")
    return decode_user_text(_read_all(sys.stdin.buffer, name, limit), file=name)


def decode_user_text(content: bytes, *, file: Path | str | None = None) -> str:
    """Decode UTF-8, dropping a byte order mark. Raises ConfigError with the line of the first wrong byte."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wrong = error.object[error.start]  # of the text without its byte order mark
        raise ConfigError(
            f"not UTF-8: the byte 0x{wrong:02x}",
            file=file,
            line=error.object.count(b"\n", 0, error.start) + 1,
            hint="save the file as UTF-8",
        ) from None


def _require_file(descriptor: int, path: Path) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or _is_anonymous_pipe(descriptor):
        return
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
    raise ConfigError(f"expected a regular file, found {kind}", file=path, hint="check the path")


def _is_anonymous_pipe(descriptor: int) -> bool:
    return os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:")  # noqa: PTH115 - names no file


def _read_all(file: BinaryIO, path: Path, limit: int) -> bytes:
    try:
        content = file.read(limit + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(content) > limit:
        raise ConfigError(f"larger than {show_size(limit)}", file=path, hint="check the path")
    return content


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot be read: {error.strerror}", file=path)
