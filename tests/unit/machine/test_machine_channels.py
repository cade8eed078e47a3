"""Channels of a guest beside console and journal: lines that a test waits for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.errors import ConfigError, DeadlineExceeded, MachineFailure
from harness.machine.channels import FatalLine, signal, standard
from harness.machine.guest_streams import GuestStreams
from harness.machine.incidents import Incident
from harness.machine.lines import LineChannel
from harness.util.deadline import Deadline

DONE = signal("testisocompletion", fatal=(FatalLine("entered-emergency", "installer-emergency"),))


class Guest:
    """The streams of a guest with one more channel, and that channel as a test reads it."""

    def __init__(self, directory: Path) -> None:
        self.streams = GuestStreams((*standard(), DONE), directory)
        self._readers = self.streams.readers(DONE)
        log = self.streams.lines(DONE.name)
        self.channel = LineChannel(DONE.name, log, self.streams.incidents, Deadline)

    def says(self, text: str) -> None:
        for reader in self._readers:
            reader(text.encode())


def test_lines_are_kept_in_a_file_and_in_memory(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.says("live-test")
    guest.says("-OK\nnext\n")
    assert guest.channel.lines == ["live-test-OK", "next"]
    assert (tmp_path / "testisocompletion.txt").read_text() == "live-test-OK\nnext\n"
    guest.streams.close()


def test_expect_reads_on_from_the_line_it_found(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.says("booted\nnoise\nbooted\n")
    assert guest.channel.expect("^booted$", timeout=0) == "booted"
    assert guest.channel.expect("^booted$", timeout=0) == "booted"
    with pytest.raises(DeadlineExceeded, match="testisocompletion to say '\\^booted\\$'; last seen: booted"):
        guest.channel.expect("^booted$", timeout=0)
    guest.streams.close()


def test_expect_waits_for_a_line_to_come(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    threading.Timer(0.05, guest.says, ["live-test-OK\n"]).start()
    assert guest.channel.expect("OK", timeout=60) == "live-test-OK"
    guest.streams.close()


def test_a_fatal_line_ends_the_machine_by_its_cause(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    guest.says("entered-emergency\n")
    with pytest.raises(MachineFailure, match="entered-emergency") as caught:
        guest.channel.expect("OK", timeout=600)
    assert caught.value.cause == "installer-emergency"
    guest.streams.close()


def test_whatever_ends_the_machine_ends_the_wait(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    panic = Incident("kernel-panic", "it panicked", "console", fatal=True)
    threading.Timer(0.05, guest.streams.incidents.report, [panic]).start()
    with pytest.raises(MachineFailure, match="it panicked"):
        guest.channel.expect("OK", timeout=600)
    guest.streams.close()


def test_a_channel_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    with pytest.raises(ConfigError, match="no channel 'other'") as caught:
        guest.streams.lines("other")
    assert caught.value.hint == "it has: testisocompletion"
    guest.streams.close()
