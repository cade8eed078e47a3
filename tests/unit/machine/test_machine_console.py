"""Reading a console as a person would: colours and carriage returns are not there."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.errors import DeadlineExceeded, MachineFailure
from harness.machine.console import Console
from harness.machine.incidents import Incident, Incidents
from harness.machine.instance import Instance
from harness.machine.streams import Tail


class Shown:
    """A console whose other end is the test."""

    def __init__(self) -> None:
        self.tail, self.incidents = Tail(), Incidents()
        self.typed: list[bytes] = []
        parts: Any = SimpleNamespace(
            console=self.tail, incidents=self.incidents, type_console=self.typed.append
        )
        self.console = Console(cast(Instance, parts))

    def expect(self, pattern: str, seconds: float = 5) -> str:
        return self.console.expect(pattern, timeout=seconds)[0]


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_output_is_waited_for(shown: Shown) -> None:
    assert not shown.console.wait_output(0.01)
    threading.Timer(0.05, shown.tail.append, [b"more"]).start()
    assert shown.console.wait_output(10)


def test_each_match_starts_where_the_last_one_ended(shown: Shown) -> None:
    shown.tail.append(b"a1\r\na2\r\na3\r\n")
    assert [shown.expect(r"a\d") for _ in range(3)] == ["a1", "a2", "a3"]
    with pytest.raises(DeadlineExceeded):
        shown.expect(r"a\d", seconds=0.05)


def test_hidden_bytes_after_a_match_hide_no_text(shown: Shown) -> None:
    shown.tail.append(b"\x1b[1;32mlogin:\x1b[0m\r\r\n\x1b[31mnext\x1b[0m\r\n\xff\xfelast\r\n")
    assert shown.expect("login:") == "login:"
    assert shown.expect("next") == "next"
    assert shown.expect("last") == "last"


def test_hidden_bytes_before_a_match_bring_nothing_back(shown: Shown) -> None:
    shown.tail.append(b"\x1b[1;32m\x1b[1;32mlogin:\x1b[0m\r\n")
    shown.expect("login:")
    with pytest.raises(DeadlineExceeded):
        shown.expect("n:", seconds=0.05)


def test_text_split_by_colours_is_one_word(shown: Shown) -> None:
    shown.tail.append(b"[ \x1b[0;32mO\x1b[0mK ] Started sshd\xc3\xa4 \x1b]0;t")
    assert shown.expect(r"\[ OK \] Started sshdä") == "[ OK ] Started sshdä"


def test_a_terminal_title_is_no_text(shown: Shown) -> None:
    shown.tail.append(b"\x1b]0;login: of a title\x07\x1b]0;login: unfinished")
    with pytest.raises(DeadlineExceeded):
        shown.expect("login: ", seconds=0.05)
    shown.tail.append(b"\x1b\\nest login: ")
    assert shown.expect("\\w* login: ") == "nest login: "


def test_what_comes_later_is_waited_for(shown: Shown) -> None:
    threading.Timer(0.05, shown.tail.append, [b"login: "]).start()
    assert shown.expect("login: ", seconds=10) == "login: "


def test_a_machine_that_dies_ends_the_wait(shown: Shown) -> None:
    shown.incidents.report(Incident("kernel-panic", "it died", "console", fatal=True))
    with pytest.raises(MachineFailure):
        shown.expect("login: ", seconds=10)


def test_keys_are_sent_as_typed(shown: Shown) -> None:
    shown.console.send("abc")
    shown.console.send_line("ö")
    assert shown.typed == [b"abc", "ö\r".encode()]
