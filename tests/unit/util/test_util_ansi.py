"""Escape sequences are not there for a reader."""

from __future__ import annotations

import time

import pytest

from harness.util import ansi


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("\x1b[1;32mgreen\x1b[0m\r\n", "green\n"),
        ("\x1b]0;a title\x07prompt$ ", "prompt$ "),
        ("\x1b]3008;start=1;boot=login: \x1b\\real", "real"),
        ("\x1bP+q436f\x1b\\text", "text"),
        ("\x1b(Bx\x1b=y\x1bM\x1b7z", "xyz"),
        ("no end \x1b]0;title\nnext", "no end \x1b]0;title\nnext"),
        ("plain", "plain"),
    ],
)
def test_text_is_stripped(raw: str, seen: str) -> None:
    assert ansi.strip(raw) == seen


def visible(raw: bytes) -> bytes:
    shown, position = b"", 0
    for start, end in ansi.hidden(raw):
        shown, position = shown + raw[position:start], end
    return shown + raw[position:]


def test_a_sequence_that_has_only_begun_is_hidden_too() -> None:
    raw = b"a\x1b]0;root login: \x1b\\b\x1b[31mc"
    for cut in range(len(raw) + 1):
        assert visible(raw[:cut]) in (b"", b"a", b"ab", b"abc")


def test_noise_takes_linear_time() -> None:
    raw = "\x1b]" * 200_000 + "\x1b[0;" * 200_000
    started = time.monotonic()
    ansi.strip(raw)
    ansi.hidden(raw.encode())
    assert time.monotonic() - started < 60
