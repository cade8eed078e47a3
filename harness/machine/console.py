"""The serial console as a person would use it: read it, type, wait for a prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from harness.errors import DeadlineExceeded
from harness.machine.instance import Instance
from harness.util import ansi
from harness.util.deadline import Deadline


class Console:
    """The reader and writer of a serial console. Each `expect` continues after the previous match.

    `deadline` turns seconds on the machine's scale into a Deadline.
    """

    def __init__(self, instance: Instance, deadline: Callable[[float], Deadline] = Deadline) -> None:
        self._instance = instance
        self._deadline = deadline
        self._position = 0

    def text(self, lines: int = 20) -> str:
        """Return the last lines shown."""
        return self._instance.console.text(lines)

    def wait_output(self, timeout: float) -> bool:
        """Return True once anything more is shown, False after `timeout` seconds."""
        tail = self._instance.console
        return tail.wait_growth(tail.total, timeout)

    def discard(self) -> None:
        """Skip all output so far: the next `expect` matches only later output."""
        self._position = self._instance.console.total

    def send(self, text: str) -> None:
        """Type `text` as it is; nothing is appended."""
        self._instance.type_console(text.encode())

    def send_line(self, text: str = "") -> None:
        self.send(text + "\r")

    def expect(self, pattern: str, *, timeout: float = 60) -> re.Match[str]:
        """Wait until the console shows `pattern` after the previous match.

        Colours, terminal titles and carriage returns are stripped. `timeout` is seconds on the machine's
        scale. Raises DeadlineExceeded with the last lines, or the incident that ended the machine.
        """
        deadline = self._deadline(timeout)
        expression = re.compile(pattern)
        tail = self._instance.console
        while True:
            total = tail.total
            shown = _Shown(tail.since(self._position))
            found = expression.search(shown.text)
            if found is not None:
                self._position = total - shown.left_after(found.end())
                return found
            self._instance.incidents.check(lambda: tail.text(15))
            if deadline.expired:
                raise DeadlineExceeded(
                    f"waiting for the console to show {pattern!r}",
                    seconds=deadline.elapsed,
                    last_seen=tail.text(5),
                )
            tail.wait_growth(total, min(0.5, deadline.remaining))


class _Shown:
    """Raw output as a reader sees it, with the raw position of each character."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._hidden = ansi.hidden(raw)
        # Bytes that are not UTF-8 become one character each, so that raw lengths can be recomputed.
        self.text = b"".join(self._seen()).decode(errors="surrogateescape")

    def _seen(self) -> Iterator[bytes]:
        position = 0
        for start, end in self._hidden:
            yield self._raw[position:start]
            position = end
        yield self._raw[position:]

    def left_after(self, character: int) -> int:
        """Return the number of raw bytes after the character at this index."""
        position = len(self.text[:character].encode(errors="surrogateescape"))
        for start, end in self._hidden:
            if start >= position:
                break
            position += end - start
        return len(self._raw) - position
