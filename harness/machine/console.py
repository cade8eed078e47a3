"""The serial console as a person would use it: read what it shows, type, wait for a prompt."""

from __future__ import annotations

import re

from harness.errors import DeadlineExceeded
from harness.machine.instance import Instance
from harness.util.deadline import Deadline

_HIDDEN = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]|\r")


class Console:
    """Reads on from where the last `expect` ended."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._position = 0

    def text(self, lines: int = 20) -> str:
        """The last lines shown."""
        return self._instance.console.text(lines)

    def discard(self) -> None:
        """Leave out what was shown so far: the next `expect` is about what comes now."""
        self._position = self._instance.console.total

    def send(self, text: str) -> None:
        """Type `text` as it is; nothing is appended."""
        self._instance.type_console(text.encode())

    def send_line(self, text: str = "") -> None:
        self.send(text + "\r")

    def expect(self, pattern: str, *, deadline: Deadline) -> re.Match[str]:
        """Wait until the console shows `pattern` after what was matched last; colours are stripped.

        Raises DeadlineExceeded with the last lines, or the machine's fatal incident.
        """
        expression = re.compile(pattern)
        tail = self._instance.console
        while True:
            total = tail.total
            shown = _Shown(tail.since(self._position))
            found = expression.search(shown.text)
            if found is not None:
                self._position = total - shown.left_after(found.end())
                return found
            if self._instance.incidents.fatal is not None:
                raise self._instance.incidents.fatal.error(tail.text(15))
            if deadline.expired:
                raise DeadlineExceeded(
                    f"waiting for the console to show {pattern!r}",
                    seconds=deadline.elapsed,
                    last_seen=tail.text(5),
                )
            tail.wait_growth(total, min(0.5, deadline.remaining))


class _Shown:
    """What a reader sees of raw output, and where in it each character came from."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._hidden = [found.span() for found in _HIDDEN.finditer(raw)]
        # Bytes that are no UTF-8 stay one character each, so that lengths can be told again.
        self.text = _HIDDEN.sub(b"", raw).decode(errors="surrogateescape")

    def left_after(self, character: int) -> int:
        """How many raw bytes follow the character at this index."""
        position = len(self.text[:character].encode(errors="surrogateescape"))
        for start, end in self._hidden:
            if start >= position:
                break
            position += end - start
        return len(self._raw) - position
