"""Streams from a guest: the serial console, and virtio-serial ports by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.errors import ConfigError


class Use(StrEnum):
    """The reader of a channel."""

    CONSOLE = "console"
    """Text of the serial console: kept in console.txt, searched for signs of trouble, read by
    `machine.console`.
    """
    JOURNAL = "journal"
    """Entries in the format of `journalctl -o json`: kept in journal.txt, read by `machine.journal`."""
    INITRAMFS = "initramfs"
    """The journal of a failed initramfs, ended by `{}`. It is a fatal incident."""
    LINES = "lines"
    """Lines of text, kept in NAME.txt, read by `machine.channel(NAME)`."""


@dataclass(frozen=True)
class FatalLine:
    """A line that ends the machine: a line equal to `text` is a failure with cause `cause`."""

    text: str
    cause: str


@dataclass(frozen=True)
class Channel:
    """A stream from the guest. `port` is the name of a virtio-serial port, empty for the serial console."""

    name: str
    port: str
    use: Use = Use.LINES
    fatal: tuple[FatalLine, ...] = ()

    def __post_init__(self) -> None:
        if not self.port and self.use is not Use.CONSOLE:
            raise ConfigError(f"channel {self.name!r} needs the name of a virtio-serial port")


CONSOLE = Channel("console", "", Use.CONSOLE)
JOURNAL = Channel("journal", "mantlejournal", Use.JOURNAL)


def standard(initramfs_port: str = "com.nestos.ignition.journal") -> tuple[Channel, ...]:
    """Return the channels that every machine has."""
    return (CONSOLE, JOURNAL, Channel("initramfs", initramfs_port, Use.INITRAMFS))


def signal(port: str, *, fatal: tuple[FatalLine, ...] = ()) -> Channel:
    """Return a channel through which a guest reports its progress, one word a line."""
    return Channel(port, port, Use.LINES, fatal)
