"""Converters for argument values. argparse turns their exceptions into usage errors."""

from __future__ import annotations

import os
import shlex
from argparse import ArgumentTypeError
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import ConfigError
from harness.util.sizes import parse_size
from kola.cases.marker import parse_minutes

if TYPE_CHECKING:
    from harness.machine.spec import Firmware, HostDirectory

_NAME_MAX = 255  # limits.h of Linux
_PATH_MAX = 4096
_DIGITS = 18


class Workdir(Enum):
    """The value of `--workdir none`: no build directory, even if the current directory is one."""

    NONE = "none"

    def __str__(self) -> str:
        return self.value


def path(text: str) -> Path:
    """Return an absolute path, which means the same in whichever directory it is used."""
    if not text:
        raise ArgumentTypeError("the path is empty")
    if "\0" in text:
        raise ArgumentTypeError("the path has a NUL in it")
    encoded = os.fsencode(text)
    if len(encoded) >= _PATH_MAX or any(len(part) > _NAME_MAX for part in encoded.split(b"/")):
        raise ArgumentTypeError(f"the path is too long ({len(encoded)} bytes)")
    return Path(text).absolute()


def workdir(text: str) -> Path | Workdir:
    """Parse `none`, or the path of a build directory."""
    return Workdir.NONE if text == Workdir.NONE.value else path(text)


def host_directory(text: str) -> HostDirectory:
    """Parse `HOST[,GUEST]`: a directory of the host, and its path in the guest (by default the same)."""
    from harness.machine.spec import HostDirectory

    host, _, mount = text.partition(",")
    directory = path(host)
    if not directory.is_dir():
        raise ArgumentTypeError(f"there is no directory {directory} to be shown to guests")
    if mount and not mount.startswith("/"):
        raise ArgumentTypeError(f"write the guest's path from the root on, not {mount!r}")
    return HostDirectory(directory, mount or str(directory))


def whole(least: int, most: int, unit: str) -> Callable[[str], int]:
    """Return a converter for a whole number from `least` to `most`; `unit` is for the message."""

    def convert(text: str) -> int:
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS and least <= int(text) <= most:
            return int(text)
        raise ArgumentTypeError(f"expected {unit} from {least} to {most}, not {shortened(text)}")

    return convert


def duration(text: str) -> float:
    """A time such as `90m` or `1h30m`, in seconds; a bare number is minutes."""
    try:
        return parse_minutes(float(text) if text.replace(".", "", 1).isdecimal() else text) * 60
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def parallel(text: str) -> int | Literal["auto"]:
    """Parse a number of tests, or `auto`."""
    return "auto" if text == "auto" else whole(1, 1024, "`auto`, or a number of tests")(text)


def size(text: str) -> str:
    """Check a disk's size as `parse_size` takes it, or an increase with a leading `+`."""
    try:
        wanted = parse_size(text.removeprefix("+"))
    except ConfigError as error:
        raise ArgumentTypeError(_sentence(error)) from None
    if not 0 < wanted <= 1 << 50:
        raise ArgumentTypeError(f"{shortened(text)} is no size of a disk; write one such as 10G")
    return text


def firmware(text: str) -> Firmware:
    from harness.machine.spec import Firmware

    try:
        return Firmware.parse(text)
    except ConfigError as error:
        raise ArgumentTypeError(_sentence(error)) from None


@dataclass(frozen=True)
class RerunTags:
    """Tags of tests that may pass at the second attempt."""

    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"tags={','.join(self.tags)}"


def rerun_tags(text: str) -> RerunTags:
    """Parse `tags=TAG[,TAG…]`, as the Go kola writes it."""
    key, _, words = text.partition("=")
    tags = tuple(word for word in words.split(",") if word)
    if key != "tags" or not tags:
        raise ArgumentTypeError(f"write tags=TAG[,TAG…], not {shortened(text)}")
    return RerunTags(tags)


def pytest_words(text: str) -> str:
    """Check arguments for pytest in one string, quoted as for a shell."""
    try:
        shlex.split(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error} in {shortened(text)}") from None
    return text


def shortened(text: str, longest: int = 40) -> str:
    """Return the text quoted; for a long one its beginning and length."""
    return repr(text) if len(text) <= longest else f"{text[:longest]!r}… ({len(text)} characters)"


def _sentence(error: ConfigError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
