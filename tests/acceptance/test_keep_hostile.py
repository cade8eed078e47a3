"""Kept machines whose user meets everything: keys at the wrong time, kill -9, odd terminals, full disks."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import termios
from pathlib import Path

import pytest
from desk import Desk

from harness.util.deadline import Deadline

SUITE = """
@pytest.mark.kola()
def test_breaks(machine):
    assert False, "as planned"
"""
SLOW = [{"delay": 600.0}]


def started(desk: Desk) -> None:
    """Wait until a machine is registered, whether it is up or not."""
    Deadline(60).poll(lambda: len(desk.ps()) == 1, step="waiting for the machine to be started")


def nobody_listens(machine: dict[str, dict[str, object]]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((machine["ssh"]["host"], machine["ssh"]["port"])) != 0


@pytest.mark.parametrize("words", [("spawn", "--cold"), ("qemuexec", "-x", "true"), ("bootchart",)])
def test_ctrl_c_while_the_machine_boots(desk: Desk, words: tuple[str, ...]) -> None:
    desk.checkout.fake.plan(boots=SLOW)
    with desk.terminal(*words, *desk.image()) as terminal:
        started(desk)
        terminal.type("\x03")
        terminal.expect("kola: interrupted")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.screen
    Deadline(10).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def test_ctrl_c_of_an_idle_machine(desk: Desk) -> None:
    with desk.terminal("spawn", "--idle", *desk.image()) as terminal:
        terminal.expect("idle; Ctrl-C ends it")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert desk.ps() == []


def test_kill_9_of_a_spawn_that_would_detach_later(desk: Desk) -> None:
    desk.checkout.fake.plan(boots=SLOW)
    starting = subprocess.Popen(
        desk.argv("spawn", "--detach", "--cold", *desk.image()),
        env=desk.checkout.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started(desk)
    assert [machine["state"] for machine in desk.ps()] == ["starting"]
    starting.kill()
    starting.wait()
    Deadline(20).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def test_a_machine_that_still_boots_is_stopped(desk: Desk) -> None:
    desk.checkout.fake.plan(boots=SLOW)
    with desk.terminal("spawn", "--cold", *desk.image()) as terminal:
        started(desk)
        assert desk.kola("stop", "--all").returncode == 0
        assert terminal.end() == 1
        assert "Traceback" not in terminal.screen
    assert desk.ps() == []


def test_kill_9_of_ssh_and_then_nothing_is_left(desk: Desk) -> None:
    desk.spawn()
    (machine,) = desk.ps()
    entered = subprocess.Popen(
        desk.argv("ssh", "m1", "sleep", "600"), env=desk.checkout.environment(), stdin=subprocess.DEVNULL
    )
    Deadline(20).poll(
        lambda: Path(f"/proc/{entered.pid}/comm").read_text().strip() == "ssh", step="waiting for ssh"
    )
    entered.kill()
    entered.wait()
    assert [one["state"] for one in desk.ps()] == ["running"]
    assert not nobody_listens(machine)
    desk.stop_all()
    assert nobody_listens(machine)
    assert not Path(machine["console"]).parent.exists()
    assert desk.left() == []


def test_kill_9_of_the_process_that_keeps_a_failed_machine(desk: Desk) -> None:
    desk.checkout.suite(SUITE)
    desk.checkout.run("--keep-on-failure")
    (machine,) = desk.ps()
    os.kill(machine["pid"], signal.SIGKILL)
    Deadline(10).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.kola("stop", "--all").returncode == 0
    assert nobody_listens(machine)
    assert desk.left() == []


def test_two_users_of_one_machine(desk: Desk) -> None:
    desk.spawn()
    with desk.terminal("console", "m1") as one, desk.terminal("console", "m1") as two:
        for terminal in (one, two):
            terminal.expect("leaves")
        one.type("nest\r")
        two.expect("nest@fake:~")
        two.type("echo from two\r")
        one.expect("\nfrom two")
        with desk.terminal("ssh", "m1") as shell:
            shell.expect("nest@fake:~")
            one.type("\x1d")
            assert one.end() == 0
            desk.stop_all()
            two.expect("left the console of m1")
            assert two.end() == 0
            shell.end()
            assert "Traceback" not in shell.screen
    assert desk.kola("ssh", "m1").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_console_that_is_ended_gives_the_terminal_back(desk: Desk, number: signal.Signals) -> None:
    desk.spawn()
    with desk.terminal("console", "m1") as terminal:
        before = terminal.mode
        terminal.expect("leaves")
        Deadline(10).poll(lambda: not terminal.mode[3] & termios.ICANON, step="waiting for the raw mode")
        terminal.signal(number)
        assert terminal.end() == 128 + number
        assert before[3] & termios.ICANON
        assert terminal.mode[3] & termios.ICANON


def test_a_dumb_terminal_gets_no_escape_sequences(desk: Desk) -> None:
    environment = desk.checkout.environment(TERM="dumb")
    with desk.on_terminal(desk.argv("qemuexec", *desk.image(), "-x", "echo up"), env=environment) as terminal:
        terminal.expect("\nup")
        terminal.end()
        assert "\x1b" not in terminal.raw


@pytest.mark.parametrize("words", [("ps",), ("list",), ("run", "--help-all"), ("man",), ("platforms",)])
def test_a_reader_that_has_gone_is_no_error(desk: Desk, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        desk.argv(*words),
        env=desk.checkout.environment(),
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_console_whose_reader_has_gone(desk: Desk) -> None:
    desk.spawn()
    line = subprocess.list2cmdline(desk.argv("console", "m1"))
    done = subprocess.run(
        ["sh", "-c", f"{line} </dev/null | true"],
        env=desk.checkout.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "left the console of m1" in done.stderr
    assert "Traceback" not in done.stderr


COMMANDS = (
    ("spawn", "--detach"),
    ("qemuexec", "-x", "true"),
    ("run", "--keep-on-failure"),
)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_state_directory_that_cannot_be_made(desk: Desk, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        desk.argv(*words, *desk.image()),
        cwd=desk.checkout.root,
        env=desk.checkout.environment(XDG_STATE_HOME=str(tmp_path / "file")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "the state directory cannot be used: Not a directory" in done.stderr
    assert "set XDG_STATE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_home_nothing_is_kept(desk: Desk) -> None:
    environment = desk.checkout.environment(HOME="/nonexistent/home")
    del environment["XDG_STATE_HOME"]
    listed = subprocess.run(desk.argv("ps"), env=environment, capture_output=True, text=True, check=False)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert len(listed.stdout.splitlines()) == 1


def test_a_full_disk_below_the_state_directory(desk: Desk) -> None:
    """A limit of zero bytes for files acts like a full disk, and needs no file system of its own."""
    desk.spawn()
    done = subprocess.run(
        desk.argv("spawn", "--detach", *desk.image()),
        cwd=desk.checkout.root,
        env=desk.checkout.environment(PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert re.search("cannot be written|cannot write", done.stderr)
    assert "Traceback" not in done.stderr
    assert [machine["name"] for machine in desk.ps()] == ["m1"]
    assert desk.kola("ssh", "m1", "echo still there").stdout == "still there\n"


def test_a_screenshot_into_a_directory(desk: Desk, tmp_path: Path) -> None:
    desk.spawn("--display")
    done = desk.kola("screenshot", "m1", "-o", str(tmp_path))
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
