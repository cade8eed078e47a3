"""A scanner that finds signs of trouble (harness.machine.signs) in a console or journal as it arrives."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from harness.machine.signs import PATTERNS, BadnessPattern
from harness.util import ansi

REACH = 2048
"""Number of characters that are examined on each side of a needle in a long line."""

PENDING_LIMIT = 4 * REACH
"""Characters after which an unfinished line is judged in pieces, so that a console without newlines stays
cheap.
"""

_OVERLAP = 256  # longer than any needle


@dataclass(frozen=True)
class Hit:
    """A match of a pattern in line number `line` (counted from 1); `text` is the cleaned line."""

    pattern: BadnessPattern
    line: int
    message: str
    text: str

    @property
    def fatal(self) -> bool:
        return not self.pattern.warn_only


class Scanner:
    """Judge console text as it arrives, in linear time and bounded memory.

    Patterns whose cause is in `opt_out` are skipped. A pattern is reported at most once per line and `limit`
    times in all.
    """

    def __init__(self, *, opt_out: Collection[str] = (), limit: int = 5) -> None:
        self._active = [pattern for pattern in PATTERNS if pattern.cause not in opt_out]
        self._left = dict.fromkeys((pattern.cause for pattern in self._active), limit)
        self._last_line = dict.fromkeys(self._left, 0)
        self._counts = dict.fromkeys(self._left, 0)
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._pending = ""
        self._line = 1

    def feed(self, chunk: bytes | str) -> list[Hit]:
        """Return the hits in the lines that this chunk completes.

        Patterns without detail, such as the emergency shell's prompt, also match in an unfinished line.
        """
        text = self._pending + (chunk if isinstance(chunk, str) else self._decode(chunk))
        end = text.rfind("\n") + 1
        hits: list[Hit] = []
        if end:
            hits += self._scan(text[:end], self._active)
            self._line += text.count("\n", 0, end)
        self._pending = text[end:]
        if len(self._pending) > PENDING_LIMIT:
            hits += self._scan(self._pending, self._active)
            self._pending = self._pending[-REACH:]
        elif self._pending:
            early = [p for p in self._active if not p.regex.groups and p.repeats == 1]
            hits += self._scan(self._pending[-len(chunk) - _OVERLAP :], early)
        return hits

    def close(self) -> list[Hit]:
        """Return the hits in a last line that has no newline."""
        return self.feed(self._decode(b"", final=True)) + self._scan(self._pending, self._active)

    def _scan(self, block: str, patterns: list[BadnessPattern]) -> list[Hit]:
        block = ansi.strip(block)
        found = [hit for pattern in patterns for hit in self._hits(block, pattern)]
        if found:
            self._active = [pattern for pattern in self._active if self._left[pattern.cause] > 0]
        return sorted(found, key=lambda hit: hit.line)

    def _hits(self, block: str, pattern: BadnessPattern) -> Iterator[Hit]:
        cause = pattern.cause
        for needle in pattern.needles:
            number, counted = self._line, 0
            for start, window in _windows(block, needle):
                match = pattern.regex.search(window)
                if match is None:
                    continue
                self._counts[cause] += sum(1 for _ in pattern.regex.finditer(window))
                if self._counts[cause] < pattern.repeats:
                    continue
                number += block.count("\n", counted, start)
                counted = start
                if number == self._last_line[cause] or not self._left[cause]:
                    continue
                self._counts[cause] = 0
                self._last_line[cause] = number
                self._left[cause] -= 1
                yield Hit(pattern, number, pattern.message(match), window.strip())


def _windows(block: str, needle: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of `block` that hold the needle, each with its offset.

    Long lines are cut to the needle's surroundings.
    """
    at = block.find(needle)
    while at >= 0:
        start = block.rfind("\n", max(0, at - REACH), at) + 1 or max(0, at - REACH)
        end = block.find("\n", at, at + REACH)
        if end < 0:
            end = min(len(block), at + REACH)
        yield start, block[start:end]
        at = block.find(needle, end)
