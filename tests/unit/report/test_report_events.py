"""The event stream: whole lines from many processes, and a reader that knows a torn one."""

from __future__ import annotations

import multiprocessing
import re
from pathlib import Path

import pytest

import kola
from harness.errors import ConfigError, InfrastructureError
from kola.report import Event, EventKind, EventLog, read_events
from kola.report.templates import NO_TEMPLATE, template_notices


def test_events_come_back_in_order_with_their_data(tmp_path: Path) -> None:
    with EventLog(tmp_path / "reports/events.jsonl") as log:
        first = log.emit(EventKind.REACHABLE, test="basic", machine="m1", phase="kernel", seconds=3.1)
        log.emit("notice", where=Path("x"), text="中 \udc80")
    back = list(read_events(log.path))
    assert back[0].data == {"phase": "kernel", "seconds": 3.1}
    assert (back[0].kind, back[0].test, back[0].machine) == (EventKind.REACHABLE, "basic", "m1")
    assert back[0].time == pytest.approx(first.time, abs=1e-5)
    assert back[1].data == {"where": "x", "text": "中 \udc80"}


def _write(path: Path, who: int, count: int) -> None:
    with EventLog(path) as log:
        for number in range(count):
            log.emit("command", test=str(who), number=number, filler="x" * (number * 37 % 5000))


def test_processes_never_tear_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, who, 300)) for who in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    events = list(read_events(path))
    assert len(events) == 900
    for who in range(3):
        assert [e.data["number"] for e in events if e.test == str(who)] == list(range(300))


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = Event(time=1.0, kind=EventKind.NOTICE).to_line()
    path.write_bytes(whole + whole[:20])
    assert [event.kind for event in read_events(path)] == [EventKind.NOTICE]


@pytest.mark.parametrize("bad", [b"not json\n", b'{"time": 1}\n', b"[]\n", b'{"time": 1, "kind": "none"}\n'])
def test_a_line_that_is_no_event_is_named(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(Event(time=1.0, kind=EventKind.NOTICE).to_line() + bad)
    with pytest.raises(ConfigError, match=r"events\.jsonl:2: not an event"):
        list(read_events(path))


def test_a_closed_log_does_not_swallow_events(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.close()
    log.close()
    with pytest.raises(InfrastructureError, match="closed"):
        log.emit("notice")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this host")
def test_a_full_disk_is_said_aloud() -> None:
    with EventLog(Path("/dev/full")) as log, pytest.raises(InfrastructureError, match="No space left"):
        log.emit("notice")


def test_every_kind_that_is_published_is_known() -> None:
    root = Path(kola.__file__).parents[1]
    published = re.compile(r"""(?:publish|emit)\(\s*"([a-z-]+)\"""")
    kinds = {
        kind
        for package in ("harness", "kola")
        for file in (root / package).rglob("*.py")
        for kind in published.findall(file.read_text())
    }
    assert kinds
    assert kinds == {kind.value for kind in EventKind}


def test_machines_that_booted_cold_for_want_of_a_template_are_counted() -> None:
    def notice(**data: str) -> Event:
        return Event(time=0.0, kind=EventKind.NOTICE, data=data)

    events = [
        notice(about=NO_TEMPLATE, text="no room\nmore"),
        notice(text="else"),
        notice(about=NO_TEMPLATE, text="no room"),
    ]
    assert template_notices(events) == ("no room (2 machines)",)
