"""Calls of libvirt that do not return. Stand-ins for the library: it is not needed here."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import DeadlineExceeded, InfrastructureError
from harness.platform.libvirt import connection, processes
from harness.platform.libvirt.connection import Connection, connect
from harness.platform.libvirt.library import limited
from harness.platform.libvirt.monitor import DomainMonitor
from harness.util.deadline import Deadline

BLINK = 0.05


class Library:
    """The modules `libvirt` and `libvirt_qemu`, whose calls wait until `answers` is set."""

    class libvirtError(Exception):  # libvirt's name
        pass

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.closed = threading.Event()

    def __getattr__(self, name: str) -> object:
        return lambda *_: None

    def qemuMonitorCommand(self, *_: object) -> str:
        self.answers.wait(30)
        return json.dumps({"return": "late"})

    qemuMonitorCommandWithFiles = qemuMonitorCommand

    def virEventRunDefaultImpl(self) -> None:
        time.sleep(30)

    def open(self, uri: str) -> SimpleNamespace:
        if not uri.startswith("qemu+tcp:"):
            self.answers.wait(30)
        nothing = lambda *_: None  # noqa: E731
        return SimpleNamespace(
            domainEventRegisterAny=nothing,
            registerCloseCallback=nothing,
            setKeepAlive=nothing,
            close=self.closed.set,
        )


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    made = Library()
    monkeypatch.setitem(sys.modules, "libvirt", made)
    monkeypatch.setitem(sys.modules, "libvirt_qemu", made)
    yield made
    made.answers.set()


def test_a_qemu_that_hangs_is_not_waited_for(library: Library) -> None:
    monitor = DomainMonitor(SimpleNamespace(suspend=lambda: library.answers.wait(30)))
    calls = (
        lambda: monitor.human("info usernet", deadline=Deadline(BLINK)),
        lambda: monitor.execute("query-status", deadline=Deadline(BLINK)),
        lambda: monitor.execute("stop", deadline=Deadline(BLINK)),
        lambda: monitor.send_descriptor("state", 0, deadline=Deadline(BLINK)),
    )
    for call in calls:
        with pytest.raises(DeadlineExceeded, match="libvirt"):
            call()


def test_what_comes_too_late_is_handed_on(library: Library) -> None:
    may_end, came = threading.Event(), threading.Event()
    got: list[str] = []

    def slow() -> str:
        may_end.wait(30)
        return "a domain"

    def late(result: str) -> None:
        got.append(result)
        came.set()

    with pytest.raises(TimeoutError):
        limited(slow, BLINK, late=late)
    may_end.set()
    assert came.wait(5)
    assert got == ["a domain"]


def test_a_connection_that_opens_too_late_is_closed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "OPEN_SECONDS", BLINK)
    monkeypatch.setattr(connection, "_loop_of", 0)
    monkeypatch.setattr(connection, "_connections", dict[str, Connection]())
    with pytest.raises(InfrastructureError, match="no libvirt daemon answers"):
        connect("qemu:///system")
    library.answers.set()
    assert library.closed.wait(5)


def test_a_host_that_does_not_answer_keeps_nobody_from_the_others(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_loop_of", 0)
    monkeypatch.setattr(connection, "_connections", dict[str, Connection]())
    silent = threading.Thread(target=connect, args=["qemu+ssh://silent/system"])
    silent.start()
    answered = threading.Thread(target=connect, args=["qemu+tcp://other/system"], daemon=True)
    answered.start()
    answered.join(10)
    assert (answered.is_alive(), silent.is_alive()) == (False, True)
    library.answers.set()
    silent.join(10)
    assert sorted(connection._connections) == ["qemu+ssh://silent/system", "qemu+tcp://other/system"]


def test_domains_that_a_lost_connection_left_are_known(library: Library) -> None:
    opened = Connection(library.open("qemu+tcp://host/system"), "qemu+tcp://host/system")
    events: Any = SimpleNamespace(lost=lambda reason: None)
    forget = {uuid: opened.watch(uuid, events) for uuid in ("ended", "left", "closed later")}
    forget["ended"]()
    assert opened.left == ()
    opened._on_close(None, 2, None)
    forget["closed later"]()
    assert opened.left == ("left", "closed later")


def test_a_qemu_whose_start_was_not_seen_is_found_by_its_name() -> None:
    words = [sys.executable, "-c", "import time; time.sleep(60)", "-name", "guest=kola-00000000ab-01"]
    with subprocess.Popen(words) as qemu:
        while processes.process_of("kola-00000000ab-01") is None:
            time.sleep(0.01)
        processes.kill("kola-00000000ab-01", None)
        try:
            assert qemu.wait(5) == -9
        finally:
            qemu.kill()


def test_a_signal_handler_may_ask_whether_the_connection_lives(library: Library) -> None:
    """A test's time limit is a signal, whose handler ends the machines, wherever the main thread was."""
    library.answers.set()
    opened = Connection(library.open(""), "qemu:///system")
    asked = threading.Event()

    def handle() -> None:
        assert not opened.lost
        asked.set()

    with opened._lock:  # as `watch` has it
        threading.Thread(target=handle, daemon=True).start()
        assert asked.wait(2)
