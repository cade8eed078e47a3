"""Journal entries as systemd writes them, and as a guest may spoil them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from harness.errors import DeadlineExceeded, MachineFailure
from harness.machine.incidents import Incident, Incidents
from harness.machine.initramfs import InitramfsChannel
from harness.machine.journal import Journal, JournalEntry
from harness.util.deadline import Deadline


def line(message: object, **fields: object) -> bytes:
    return json.dumps({"MESSAGE": message, **fields}).encode()


def parsed(message: object, **fields: object) -> JournalEntry:
    entry = JournalEntry.parse(line(message, **fields))
    assert entry is not None
    return entry


def test_an_entry_reads_like_journalctl() -> None:
    entry = parsed(
        "hello",
        __REALTIME_TIMESTAMP="1700000000123456",
        SYSLOG_IDENTIFIER="sshd",
        _PID="17",
        PRIORITY="3",
        _SYSTEMD_UNIT="sshd.service",
    )
    assert entry.line() == "Nov 14 22:13:20.123456 sshd[17]: hello"
    assert (entry.priority, entry.unit) == (3, "sshd.service")


def test_what_systemd_says_of_a_unit_belongs_to_that_unit() -> None:
    assert parsed("Failed", UNIT="a.service", _SYSTEMD_UNIT="init.scope").unit == "a.service"


def test_messages_that_are_no_text_come_as_bytes() -> None:
    assert parsed([104, 105, 255]).message == "hi�"
    assert parsed(["first", "second"]).message == "first"
    assert parsed(None).message == ""


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b"null", b'{"PRIORITY": "6"}', b"\xff\xfe"])
def test_torn_lines_are_no_entries(torn: bytes) -> None:
    assert JournalEntry.parse(torn) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"PRIORITY": "debug"},
        {"PRIORITY": "99"},
        {"__REALTIME_TIMESTAMP": "yesterday"},
        {"__REALTIME_TIMESTAMP": "9" * 40},
        {"SYSLOG_IDENTIFIER": [300, 400]},
    ],
)
def test_an_odd_field_costs_no_entry(fields: dict[str, object]) -> None:
    entry = parsed("kept", **fields)
    assert entry.message == "kept"
    assert 0 <= entry.priority <= 7
    assert entry.line().endswith(": kept")


def test_entries_are_found_by_who_where_and_what(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.txt")
    journal.add_line(line("one", SYSLOG_IDENTIFIER="a"))
    mark = journal.position
    journal.add_line(line("two", SYSLOG_IDENTIFIER="b", UNIT="u.service"))
    journal.add_line(b"torn {")
    assert [entry.message for entry in journal.entries(identifier="a")] == ["one"]
    assert [entry.message for entry in journal.entries(unit="u.service")] == ["two"]
    assert [entry.message for entry in journal.entries(since=mark)] == ["two"]
    assert [entry.message for entry in journal.grep("^t")] == ["two"]
    assert journal.grep("one", since=mark) == []
    assert (tmp_path / "journal.txt").read_text().count("\n") == 2
    journal.close()


def test_waiting_ends_with_the_entry_that_comes() -> None:
    journal = Journal(None)
    journal.add_line(line("too early"))
    threading.Timer(0.05, journal.add_line, [line("it is done")]).start()
    assert journal.wait_for("done$", timeout=10).message == "it is done"


def test_waiting_ends_with_the_deadline_or_the_machine() -> None:
    journal, incidents = Journal(None), Incidents()
    journal.add_line(line("something else"))
    with pytest.raises(DeadlineExceeded) as caught:
        journal.wait_for("done", timeout=0.05)
    assert caught.value.last_seen == "something else"
    incidents.report(Incident("kernel-panic", "it died", "console", fatal=True))
    journal.wait_with(Deadline, incidents)
    with pytest.raises(MachineFailure):
        journal.wait_for("done", timeout=10)


def test_the_initramfs_names_why_ignition_gave_up(tmp_path: Path) -> None:
    incidents = Incidents()
    channel = InitramfsChannel(tmp_path / "dump", incidents.report)
    channel(line("reading config", SYSLOG_IDENTIFIER="ignition", PRIORITY="6") + b"\n")
    channel(line("disk not found", SYSLOG_IDENTIFIER="ignition", PRIORITY="2") + b"\n")
    channel(line("unrelated", SYSLOG_IDENTIFIER="systemd", PRIORITY="2") + b"\n")
    assert incidents.fatal is None, "until it says that this was all"
    channel(b"{}\n")
    channel(b"")
    (incident,) = incidents.take()
    assert incident.cause == "initramfs-failure"
    assert incident.message == "entered emergency.target in initramfs: disk not found"
    assert (tmp_path / "dump").read_bytes().endswith(b"{}\n")


def test_ignition_without_syslog_says_its_level_in_words(tmp_path: Path) -> None:
    incidents = Incidents()
    channel = InitramfsChannel(tmp_path / "dump", incidents.report)
    said = "CRITICAL : Ignition failed: hash verification failed"
    channel(line(said, SYSLOG_IDENTIFIER="ignition", PRIORITY="6") + b"\n")
    channel(line("files failed", SYSLOG_IDENTIFIER="ignition", PRIORITY="6") + b"\n")
    channel(line("Failed to start Ignition.", SYSLOG_IDENTIFIER="systemd", PRIORITY="3") + b"\n{}\n")
    (incident,) = incidents.take()
    assert incident.message.endswith("hash verification failed")


def test_an_initramfs_where_ignition_said_nothing_names_the_unit_that_failed_first(tmp_path: Path) -> None:
    incidents = Incidents()
    channel = InitramfsChannel(tmp_path / "dump", incidents.report)
    for unit in ("Ignition (files)", "Root File System"):
        channel(line(f"Failed to start {unit}.", SYSLOG_IDENTIFIER="systemd", PRIORITY="3") + b"\n")
    channel(b"{}\n")
    (incident,) = incidents.take()
    assert incident.message.endswith("initramfs: Failed to start Ignition (files).")


def test_an_initramfs_that_says_nothing_is_well(tmp_path: Path) -> None:
    incidents = Incidents()
    InitramfsChannel(tmp_path / "dump", incidents.report)(b"")
    assert incidents.take() == []


def test_a_stream_cut_before_its_end_still_counts(tmp_path: Path) -> None:
    incidents = Incidents()
    channel = InitramfsChannel(tmp_path / "dump", incidents.report)
    channel(line("disk not found", SYSLOG_IDENTIFIER="ignition", PRIORITY="2") + b"\n")
    channel(b"")
    assert incidents.fatal is not None
