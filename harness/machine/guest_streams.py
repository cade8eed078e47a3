"""The data that a guest sends: files, in-memory logs and incidents of each channel."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from harness.machine.channels import Channel, Use
from harness.machine.incidents import Incidents
from harness.machine.initramfs import InitramfsChannel
from harness.machine.journal import Journal
from harness.machine.lines import LineLog, no_channel
from harness.machine.monitor import StreamMonitor
from harness.machine.streams import FileSink, LineSplitter, Reader, StreamPump, Tail


class GuestStreams:
    """The streams of one guest, kept in `directory`.

    The platform attaches each connected channel's readers to `pump`.
    """

    def __init__(self, channels: tuple[Channel, ...], directory: Path) -> None:
        self.incidents = Incidents()
        self.console = Tail()
        self.monitor = StreamMonitor(self.incidents, self.console)
        self._directory = directory
        self._logs = {
            channel.name: LineLog(channel, self.incidents.report)
            for channel in channels
            if channel.use is Use.LINES
        }
        with ExitStack() as owned:
            self.journal = Journal(directory / "journal.txt", self.monitor.journal)
            owned.callback(self.journal.close)
            self.pump = StreamPump(directory.name, lambda error: self.monitor.stream_error(error, directory))
            owned.callback(self.pump.close)
            self._owned = owned.pop_all()

    def readers(self, channel: Channel) -> list[Reader]:
        """Return the readers of a channel's bytes. Opens their files; raises OSError."""
        match channel.use:
            case Use.CONSOLE:
                return [FileSink(self._directory / "console.txt"), self.monitor.console]
            case Use.JOURNAL:
                return [LineSplitter(self.journal.add_line)]
            case Use.INITRAMFS:
                dump = self._directory / "ignition-virtio-dump.txt"
                return [InitramfsChannel(dump, self.incidents.report)]
            case Use.LINES:
                log = self._logs[channel.name]
                return [FileSink(self._directory / f"{channel.name}.txt"), LineSplitter(log.add)]

    def lines(self, name: str) -> LineLog:
        """Return the log of a channel of lines. Raises ConfigError when the machine has no such channel."""
        if name not in self._logs:
            raise no_channel(name, sorted(self._logs))
        return self._logs[name]

    def close(self) -> None:
        """Read the remaining data and close the files. The guest must have stopped before."""
        self._owned.close()
