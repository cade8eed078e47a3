"""Bytes from serial ports: kept in part, cut into lines, carried to readers."""

from __future__ import annotations

import errno
import random
import socket
import threading
from pathlib import Path

import pytest

from harness.machine.streams import FileSink, LineSplitter, StreamPump, Tail


def test_a_tail_keeps_the_end_and_counts_everything() -> None:
    tail = Tail(limit=100)
    for number in range(1000):
        tail.append(f"line {number}\n".encode())
    assert tail.total == sum(len(f"line {number}\n") for number in range(1000))
    assert tail.text(2) == "line 998\nline 999"
    assert 100 <= len(tail.since(0)) < 200


def test_since_gives_what_came_after_a_position() -> None:
    tail = Tail()
    tail.append(b"before")
    mark = tail.total
    assert tail.since(mark) == b""
    tail.append(b"after")
    assert tail.since(mark) == b"after"
    assert tail.since(mark + 2) == b"ter"


def test_text_shows_what_is_no_utf8_and_drops_carriage_returns() -> None:
    tail = Tail()
    tail.append(b"one\r\n\xfftwo\r\n")
    assert tail.text() == "one\n�two"


def test_growth_wakes_who_waits() -> None:
    tail = Tail()
    threading.Timer(0.05, tail.append, [b"x"]).start()
    assert tail.wait_growth(0, timeout=10)
    assert not tail.wait_growth(1, timeout=0.01)


def test_lines_come_whole_however_the_bytes_are_cut() -> None:
    text = "".join(f"line {number} äöü\r\n" for number in range(50)).encode() + b"without an end"
    for seed in range(20):
        cut = random.Random(seed)
        lines: list[bytes] = []
        split = LineSplitter(lines.append)
        position = 0
        while position < len(text):
            step = cut.randint(1, 40)
            split(text[position : position + step])
            position += step
        split(b"")
        assert lines == text.replace(b"\r", b"").split(b"\n")


def test_a_line_without_an_end_does_not_fill_memory() -> None:
    lines: list[bytes] = []
    split = LineSplitter(lines.append, limit=1000)
    for _ in range(100):
        split(b"x" * 500)
    split(b"end\nnext\n")
    assert lines[1] == b"next"
    assert len(lines[0]) <= 1003


class Collector:
    """A reader that remembers, and knows when its stream has ended."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = threading.Event()

    def __call__(self, data: bytes) -> None:
        self.data += data
        if not data:
            self.ended.set()


def test_the_pump_drains_what_was_written_before_the_end(tmp_path: Path) -> None:
    errors: list[Exception] = []
    pump = StreamPump("test", errors.append)
    ours, theirs = socket.socketpair()
    collector = Collector()
    pump.attach(ours, collector, FileSink(tmp_path / "kept"))
    theirs.sendall(b"a" * 100_000)
    theirs.close()
    pump.close()
    assert collector.ended.is_set()
    assert collector.data == (tmp_path / "kept").read_bytes() == b"a" * 100_000
    assert errors == []


def test_a_reader_that_fails_is_told_and_the_others_read_on() -> None:
    errors: list[Exception] = []
    pump = StreamPump("test", errors.append)
    ours, theirs = socket.socketpair()
    beside, theirs_beside = socket.socketpair()
    good, other = Collector(), Collector()

    def full(data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    pump.attach(ours, full, good)
    pump.attach(beside, other)
    for end in (theirs, theirs_beside):
        end.sendall(b"one")
        end.close()
    assert good.ended.wait(5)
    assert other.ended.wait(5)
    pump.close()
    assert (good.data, other.data) == (b"one", b"one")
    assert [getattr(error, "errno", None) for error in errors] == [errno.ENOSPC]


def test_the_pump_ends_though_somebody_still_holds_the_other_end() -> None:
    pump = StreamPump("test", lambda error: None)
    ours, theirs = socket.socketpair()
    pump.attach(ours, Collector())
    pump.close(drain=0.1)
    with pytest.raises(OSError):
        ours.getpeername()
    theirs.close()
