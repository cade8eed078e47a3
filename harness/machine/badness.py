"""Signs of trouble on a console or in a journal: the patterns kola looks for, and a scanner for streams."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

REACH = 2048
"""How many characters around a sign are looked at: longer lines are judged in windows of that reach."""

PENDING_LIMIT = 4 * REACH
"""An unfinished line longer than this is judged in pieces, so that a console without newlines stays cheap."""

_OVERLAP = 256  # longer than any needle

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b\][^\x07\x1b\n]{0,512}(?:\x07|\x1b\\)"  # OSC: window titles, systemd's context marks
    r"|\x1b[ -/]*[0-Z\\^-~]"  # the short ones
    r"|\r"
)


@dataclass(frozen=True)
class BadnessPattern:
    """One sign of trouble. `slug` is the stable name a test opts out of.

    `needles` are literal texts of which at least one is part of every match: they are what makes
    the scan of a large log cheap. A hit needs `repeats` matches.
    """

    name: str
    slug: str
    regex: re.Pattern[str]
    needles: tuple[str, ...]
    warn_only: bool = False
    repeats: int = 1

    def message(self, match: re.Match[str]) -> str:
        """The name, and in brackets what the pattern's first group caught."""
        detail = match.group(1).strip() if self.regex.groups else ""
        return f"{self.name} ({detail})" if detail else self.name


def _pattern(
    name: str, slug: str, regex: str, *needles: str, warn_only: bool = False, repeats: int = 1
) -> BadnessPattern:
    return BadnessPattern(name, slug, re.compile(regex), needles, warn_only, repeats)


# The bonding pattern of the original spans ten messages with a lazy `.*?`; counting them says the same
# in linear time. The generator pattern is anchored at the first slash, and bounded, for the same reason.
PATTERNS: tuple[BadnessPattern, ...] = (
    _pattern(
        "emergency shell",
        "emergency-shell",
        r"Press Enter for emergency shell|Starting Emergency Shell|You are in emergency mode",
        "Press Enter for emergency shell",
        "Starting Emergency Shell",
        "You are in emergency mode",
    ),
    _pattern(
        "dracut fatal",
        "dracut-fatal",
        r"dracut: Refusing to continue",
        "dracut: Refusing to continue",
    ),
    _pattern(
        "kernel panic",
        "kernel-panic",
        r"Kernel panic - not syncing: (.*)",
        "Kernel panic - not syncing: ",
    ),
    _pattern("kernel oops", "kernel-oops", r"Oops:", "Oops:"),
    _pattern(
        "kernel warning",
        "kernel-warning",
        r"WARNING: CPU: \d+ PID: \d+ at (.+)",
        "WARNING: CPU: ",
    ),
    _pattern(
        "disk failure under I/O",
        "disk-failure",
        r"rejecting I/O to offline device",
        "rejecting I/O to offline device",
    ),
    _pattern(
        "bonding link status storm",
        "bonding-storm",
        r"link status up for interface [^,]{1,256}, enabling it in [0-9]+ ms",
        "link status up for interface ",
        repeats=10,
    ),
    _pattern(
        "ext4 delayed allocation",
        "ext4-delayed-allocation",
        r"EXT4-fs \([^)]{1,256}\): Delayed block allocation failed for inode \d+"
        r" at logical offset \d+ with max blocks \d+ with (error \d+)",
        ": Delayed block allocation failed for inode ",
    ),
    _pattern(
        "GRUB memory corruption",
        "grub-memory-corruption",
        r"((alloc|free) magic) (is )?broken",
        "alloc magic ",
        "free magic ",
    ),
    _pattern(
        "Ignition fetch cancellation",
        "ignition-fetch-cancelled",
        r"ignition\[[0-9]+\]: failed to fetch config: context canceled",
        ": failed to fetch config: context canceled",
    ),
    _pattern(
        "initrd-cleanup terminated",
        "initrd-cleanup-terminated",
        r"initrd-cleanup\.service: Main process exited, code=killed, status=15/TERM",
        "initrd-cleanup.service: Main process exited, ",
    ),
    _pattern("Go panic", "go-panic", r"panic: (.*)", "panic: "),
    _pattern("segfault", "segfault", r"SIGSEGV|=11/SEGV", "SIGSEGV", "=11/SEGV"),
    _pattern("core dump", "core-dump", r"[Cc]ore dump", "core dump", "Core dump"),
    _pattern(
        "systemd ordering cycle",
        "systemd-ordering-cycle",
        r"Ordering cycle found",
        "Ordering cycle found",
    ),
    _pattern("oom killer", "oom-killer", r"invoked oom-killer", "invoked oom-killer"),
    _pattern(
        "systemd generator failure",
        "systemd-generator-failure",
        r"^[^/]*(/.{0,512}/system-generators/.{0,256})"
        r" (failed with exit status|terminated by signal|failed due to unknown reason)",
        "/system-generators/",
    ),
    _pattern(
        "kernel soft lockup",
        "kernel-soft-lockup",
        r"watchdog: BUG: soft lockup - CPU",
        "watchdog: BUG: soft lockup - CPU",
        warn_only=True,
    ),
)


@dataclass(frozen=True)
class Hit:
    """A pattern met on line number `line` (from 1), whose cleaned text is `text`."""

    pattern: BadnessPattern
    line: int
    message: str
    text: str

    @property
    def fatal(self) -> bool:
        return not self.pattern.warn_only


class Scanner:
    """Judges console text as it arrives, in linear time and bounded memory.

    Patterns named in `opt_out` (slugs) are not looked for. A pattern is reported at most once a line
    and `limit` times in all.
    """

    def __init__(self, *, opt_out: Collection[str] = (), limit: int = 5) -> None:
        self._active = [pattern for pattern in PATTERNS if pattern.slug not in opt_out]
        self._left = dict.fromkeys((pattern.slug for pattern in self._active), limit)
        self._last_line = dict.fromkeys(self._left, 0)
        self._counts = dict.fromkeys(self._left, 0)
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._pending = ""
        self._line = 1

    def feed(self, chunk: bytes | str) -> list[Hit]:
        """The hits in the lines this chunk completes.

        Signs without detail (a prompt for the emergency shell) count before their newline has come.
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
        """The hits in a last line that never got its newline."""
        return self.feed(self._decode(b"", final=True)) + self._scan(self._pending, self._active)

    def _scan(self, block: str, patterns: list[BadnessPattern]) -> list[Hit]:
        if "\x1b" in block or "\r" in block:
            block = _ESCAPES.sub("", block)
        found = [hit for pattern in patterns for hit in self._hits(block, pattern)]
        if found:
            self._active = [pattern for pattern in self._active if self._left[pattern.slug] > 0]
        return sorted(found, key=lambda hit: hit.line)

    def _hits(self, block: str, pattern: BadnessPattern) -> Iterator[Hit]:
        slug = pattern.slug
        for needle in pattern.needles:
            number, counted = self._line, 0
            for start, window in _windows(block, needle):
                match = pattern.regex.search(window)
                if match is None:
                    continue
                self._counts[slug] += sum(1 for _ in pattern.regex.finditer(window))
                if self._counts[slug] < pattern.repeats:
                    continue
                number += block.count("\n", counted, start)
                counted = start
                if number == self._last_line[slug] or not self._left[slug]:
                    continue
                self._counts[slug] = 0
                self._last_line[slug] = number
                self._left[slug] -= 1
                yield Hit(pattern, number, pattern.message(match), window.strip())


def _windows(block: str, needle: str) -> Iterator[tuple[int, str]]:
    """The lines of `block` that hold the needle, with where they start; of long lines what surrounds it."""
    at = block.find(needle)
    while at >= 0:
        start = block.rfind("\n", max(0, at - REACH), at) + 1 or max(0, at - REACH)
        end = block.find("\n", at, at + REACH)
        if end < 0:
            end = min(len(block), at + REACH)
        yield start, block[start:end]
        at = block.find(needle, end)
