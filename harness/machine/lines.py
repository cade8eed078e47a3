"""Lines that a guest sends through a channel, and waiting for one of them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from harness.errors import ConfigError, DeadlineExceeded
from harness.machine.channels import Channel
from harness.machine.incidents import Incident, Incidents
from harness.util.deadline import Deadline


class LineLog:
    """All lines of a channel. The stream's thread adds decoded lines; any thread reads them."""

    def __init__(self, channel: Channel, report: Callable[[Incident], None]) -> None:
        self._fatal = {line.text: line.cause for line in channel.fatal}
        self._source = f"channel {channel.name}"
        self._report = report
        self._lines: list[str] = []
        self._grown = threading.Condition()

    def add(self, raw: bytes) -> None:
        line = raw.decode(errors="replace")
        with self._grown:
            self._lines.append(line)
            self._grown.notify_all()
        cause = self._fatal.get(line.strip())
        if cause is not None:
            self._report(Incident(cause, f"the guest reports {line.strip()!r}", self._source, fatal=True))

    def since(self, position: int) -> list[str]:
        with self._grown:
            return self._lines[position:]

    def wait_growth(self, position: int, timeout: float) -> None:
        """Wait until there are more than `position` lines, or `timeout` seconds have passed."""
        with self._grown:
            self._grown.wait_for(lambda: len(self._lines) > position, timeout)


class LineChannel:
    """A reader of a channel.

    Each `expect` continues after the previous match. Times are seconds on the machine's scale.
    """

    def __init__(
        self, name: str, log: LineLog, incidents: Incidents, deadline: Callable[[float], Deadline]
    ) -> None:
        self._name = name
        self._log = log
        self._incidents = incidents
        self._deadline = deadline
        self._position = 0

    @property
    def lines(self) -> list[str]:
        """Return all lines received so far."""
        return self._log.since(0)

    def expect(self, pattern: str, *, timeout: float = 60) -> str:
        """Wait for the next line that matches the regular expression and return it.

        Raises DeadlineExceeded with the last line, or the incident that ended the machine.
        """
        expression = re.compile(pattern)
        deadline = self._deadline(timeout)
        read = self._position
        while True:
            for line in self._log.since(read):
                read += 1
                if expression.search(line):
                    self._position = read
                    return line
            self._incidents.check()
            if deadline.expired:
                raise DeadlineExceeded(
                    f"waiting for channel {self._name} to say {pattern!r}",
                    seconds=deadline.elapsed,
                    last_seen=(self.lines or ["nothing"])[-1],
                )
            self._log.wait_growth(read, min(0.5, deadline.remaining))


def no_channel(name: str, known: list[str]) -> ConfigError:
    """Return the error for a channel that the machine does not have."""
    return ConfigError(
        f"the machine has no channel {name!r}", hint=f"it has: {', '.join(known) or 'no channel of lines'}"
    )
