"""The machine protocol with the test as QEMU."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.platform.qemu.qmp import Qmp, QmpError, send_all
from harness.util.deadline import Deadline


class Wire:
    """Both ends: what our side sent, and what QEMU says to it."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.qmp = Qmp(self.ours, lambda name, data: self.events.append((name, data)))
        self._read = self.theirs.makefile("rb")

    def request(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._read.readline())
        return found

    def say(self, **message: Any) -> None:
        self.qmp.feed_line(json.dumps(message).encode())

    def answering(self, **reply: Any) -> None:
        """Answer the next command in another thread."""

        def answer() -> None:
            self.say(**reply, id=self.request()["id"])

        threading.Thread(target=answer, daemon=True).start()

    def close(self) -> None:
        self._read.close()
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


def test_the_greeting_comes_first(wire: Wire) -> None:
    wire.say(QMP={"version": {}})
    wire.answering(**{"return": {}})
    wire.qmp.negotiate(Deadline(5))
    with pytest.raises(DeadlineExceeded, match="greeting"):
        Wire().qmp.negotiate(Deadline(0.05))


def test_arguments_are_spelled_as_qemu_does_and_the_answer_comes_back(wire: Wire) -> None:
    replies: list[dict[str, Any]] = []

    def answer() -> None:
        replies.append(wire.request())
        wire.say(**{"return": "table\r\nrow\r\n", "id": replies[0]["id"]})

    threading.Thread(target=answer, daemon=True).start()
    assert wire.qmp.human("info usernet", deadline=Deadline(5)) == "table\nrow\n"
    assert replies[0]["arguments"] == {"command-line": "info usernet"}


def test_a_refusal_has_qemus_words(wire: Wire) -> None:
    wire.answering(error={"class": "GenericError", "desc": "no such device"})
    with pytest.raises(QmpError, match="QEMU refused eject: no such device") as caught:
        wire.qmp.execute("eject", deadline=Deadline(5))
    assert (caught.value.cause, caught.value.error_class) == ("qmp-error", "GenericError")


def test_events_between_are_handed_on(wire: Wire) -> None:
    wire.say(event="STOP", timestamp={})
    wire.say(event="RESET", data={"guest": True})
    assert wire.events == [("STOP", {}), ("RESET", {"guest": True})]


def test_torn_lines_are_passed_over(wire: Wire) -> None:
    wire.qmp.feed_line(b'{"event": "ST')
    wire.qmp.feed_line(b"\xff")
    assert wire.events == []


def test_no_answer_ends_with_the_deadline_and_the_command(wire: Wire) -> None:
    with pytest.raises(DeadlineExceeded, match="to answer stop"):
        wire.qmp.execute("stop", deadline=Deadline(0.05))


def test_the_end_of_the_connection_ends_every_wait(wire: Wire) -> None:
    threading.Timer(0.05, wire.qmp.feed_end).start()
    with pytest.raises(InfrastructureError) as caught:
        wire.qmp.execute("stop", deadline=Deadline(10))
    assert caught.value.cause == "qemu-exited"
    with pytest.raises(InfrastructureError):
        wire.qmp.execute("stop", deadline=Deadline(10))


def test_answers_find_who_asked_though_they_cross(wire: Wire) -> None:
    answers: dict[str, Any] = {}

    def ask(command: str) -> None:
        answers[command] = wire.qmp.execute(command, deadline=Deadline(10))

    askers = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two")]
    for asker in askers:
        asker.start()
    for request in reversed([wire.request(), wire.request()]):
        wire.say(**{"return": request["execute"].upper(), "id": request["id"]})
    for asker in askers:
        asker.join(10)
    assert answers == {"one": "ONE", "two": "TWO"}


def test_writing_waits_for_room_but_not_for_ever(wire: Wire) -> None:
    wire.ours.setblocking(False)
    with pytest.raises(DeadlineExceeded, match="writing"):
        send_all(wire.ours, b"x" * 10_000_000, Deadline(0.1))


def test_writing_to_a_qemu_that_is_gone_says_so(wire: Wire) -> None:
    wire.theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(InfrastructureError) as caught:
        send_all(wire.ours, b"x", Deadline(1))
    assert caught.value.cause == "qemu-exited"
