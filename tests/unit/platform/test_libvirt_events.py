"""libvirt's events as incidents; URIs; the error without the library. Nothing here needs libvirt."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from harness.errors import ConfigError
from harness.machine.incidents import Incidents
from harness.machine.monitor import StreamMonitor
from harness.machine.streams import Tail
from harness.platform.choose import choose
from harness.platform.libvirt import events, library
from harness.platform.libvirt.events import LibvirtEvents


class Machine:
    def __init__(self) -> None:
        self.incidents = Incidents()
        self.events = LibvirtEvents(
            self.incidents, StreamMonitor(self.incidents, Tail()), lambda: "qemu: out of luck"
        )

    @property
    def cause(self) -> str:
        return self.incidents.fatal.cause if self.incidents.fatal else ""


CASES: dict[str, tuple[Callable[[LibvirtEvents], None], str]] = {
    "qemu-died": (lambda heard: heard.lifecycle(5, 5), "qemu-exited"),
    "destroyed-by-others": (lambda heard: heard.lifecycle(5, 1), "machine-killed"),
    "qemu-terminated": (lambda heard: heard.lifecycle(5, 0), "qemu-exited"),
    "migrated-by-others": (lambda heard: heard.lifecycle(5, 3), "machine-killed"),
    "saved-by-others": (lambda heard: heard.lifecycle(5, 4), "machine-killed"),
    "panic": (lambda heard: heard.lifecycle(8, 0), "kernel-panic"),
    "panic-with-on-crash-destroy": (lambda heard: heard.lifecycle(5, 2), "kernel-panic"),
    "power-off": (lambda heard: heard.lifecycle(6, 1), "powered-off"),
    "disk-full": (lambda heard: heard.io_error("vda", "enospc"), "host-disk-full"),
    "other-io-error": (lambda heard: heard.io_error("vda", "eio"), ""),
    "lost": (lambda heard: heard.lost("the daemon ended"), "host-lost"),
    "resumed": (lambda heard: heard.lifecycle(4, 0), ""),
}


@pytest.mark.parametrize(("happens", "cause"), CASES.values(), ids=CASES)
def test_causes(happens: Callable[[LibvirtEvents], None], cause: str) -> None:
    machine = Machine()
    happens(machine.events)
    assert machine.cause == cause


def test_qemus_last_words_are_told() -> None:
    machine = Machine()
    machine.events.lifecycle(5, 5)
    assert machine.incidents.fatal is not None
    assert "out of luck" in machine.incidents.fatal.message


def test_the_end_of_qemu_after_a_power_off_is_the_guests_doing() -> None:
    machine = Machine()
    machine.events.lifecycle(6, 1)
    machine.events.lifecycle(5, 0)
    assert machine.cause == "powered-off"


def test_the_end_that_was_asked_for_is_no_news() -> None:
    machine = Machine()
    machine.events.closing = True
    machine.events.lifecycle(5, 1)
    machine.events.lost("closed")
    assert machine.cause == ""
    assert machine.events.stopped.is_set()


def test_a_machine_that_was_killed_says_why() -> None:
    machine = Machine()
    machine.events.killed = "the test's time is up"
    machine.events.lifecycle(5, 1)
    assert machine.incidents.fatal is not None
    assert (machine.cause, machine.incidents.fatal.message) == (
        "qemu-exited",
        "the machine was stopped: the test's time is up",
    )


def test_a_reset_counts_as_leaving_the_boot() -> None:
    machine = Machine()
    machine.events.rebooted()
    assert machine.incidents.departures == 1


def test_a_pause_by_others_ends_the_machine_and_an_intended_one_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "_NEXT_EVENT_SECONDS", 0.01)
    intended, others = Machine(), Machine()
    others.events.expect_to_run()
    for machine in (intended, others):
        machine.events.lifecycle(3, 0)
    assert others.incidents.wake.wait(5)
    assert (intended.cause, others.cause) == ("", "machine-paused")


@pytest.mark.parametrize(
    "uri",
    [
        "qemu+ssh:///system",
        "qemu+ssh://host",
        "qemu+tcp://127.0.0.1:x/system",
        "qemu+unix://host/system",
        "qemu://[::1/system",
        "xen:///",
        "test:///default",
    ],
)
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(ConfigError) as error:
        choose("libvirt", "x86_64", uri=uri)
    assert error.value.hint


def test_without_the_library_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    with pytest.raises(ConfigError, match="libvirt-python") as error:
        library.load()
    assert "libvirt-dev pkg-config gcc" in str(error.value)
    missing = choose("libvirt", "x86_64").check_host()
    assert any(one.name == "libvirt-python" and one.essential for one in missing)
