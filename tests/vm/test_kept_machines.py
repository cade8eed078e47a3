"""Machines at the keyboard, on a real guest: keys are typed and the screen is read."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kolarun import ignition
from terminal import Terminal

from harness.util.deadline import Deadline

ROOT = Path(__file__).parents[2]
PYTEST = [sys.executable, "-m", "pytest", "-p", "kola.plugin"]
KOLA = [sys.executable, "-m", "kola.cli.main"]
PROMPT = r"nest@[\w-]+:.*\$ "
BROKEN = {
    "systemd": {
        "units": [
            {
                "name": "kola-fails.service",
                "enabled": True,
                "contents": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo the cause >&2; exit 3'\n"
                "[Install]\nWantedBy=multi-user.target\n",
            }
        ]
    }
}


class Desk:
    """`kola` with a state directory of its own, on the reference OS."""

    def __init__(self, reference: Path, state: Path) -> None:
        self.reference = reference
        self.environment = os.environ | {"XDG_STATE_HOME": str(state)}

    def kola(self, *words: str) -> str:
        done = subprocess.run(
            [*KOLA, *words], env=self.environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def terminal(self, *words: str, cwd: Path | None = None) -> Terminal:
        return Terminal([*KOLA, *words], env=self.environment, cwd=cwd)

    def ps(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.kola("ps", "--json").splitlines()]


@pytest.fixture
def desk(reference: Path, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(reference, tmp_path / "state")
    yield desk
    desk.kola("stop", "--all")
    assert desk.ps() == []


def test_a_shell_a_console_and_a_reboot(desk: Desk) -> None:
    with desk.terminal("spawn", "--reconnect", "--workdir", str(desk.reference)) as shell:
        shell.expect("m1: ", seconds=600)
        shell.expect(PROMPT, seconds=120)
        shell.type("echo $((6 * 7)); cat /proc/sys/kernel/random/boot_id\r")
        before = shell.expect(r"\n42\n([0-9a-f-]{36})", seconds=60)[1]
        with desk.terminal("console", "m1") as console:
            console.expect(r"Ctrl-\] leaves")
            console.type("\r")
            console.expect("login: ", seconds=60)
            shell.expect(PROMPT)
            shell.type("sudo systemctl reboot\r")
            console.expect("Linux version", seconds=180)
            console.type("\x1d")
            assert console.end() == 0
        shell.expect("waiting for it to come back", seconds=120)
        shell.expect(PROMPT, seconds=300)
        shell.type("cat /proc/sys/kernel/random/boot_id\r")
        assert shell.expect(r"\n([0-9a-f-]{36})", seconds=60)[1] != before
        shell.type("exit\r")
        assert shell.end(seconds=60) == 0
    assert desk.ps() == []


def test_a_failed_unit_is_debugged_in_the_machine_of_the_failed_test(desk: Desk, tmp_path: Path) -> None:
    """The story of docs/debugging.md: run, fail, enter, look. The machine stays, to be entered again."""
    config = ignition(tmp_path / "broken.ign", **BROKEN)
    run = (
        "run", "--workdir", str(desk.reference), "--output-dir", str(tmp_path / "out"),
        "--append-ignition", str(config), "--keep-on-failure", "--ssh-on-test-failure",
        "defaults.boot.machine-id",
    )  # fmt: skip
    with desk.terminal(*run) as screen:
        screen.expect(PROMPT, seconds=600)
        screen.type("systemctl --failed --plain --no-legend\r")
        screen.expect(r"\nkola-fails\.service", seconds=60)
        screen.type("journalctl -u kola-fails --no-pager -o cat\r")
        screen.expect(r"\nthe cause", seconds=60)
        screen.type("exit\r")
        screen.expect(r"failed-unit: .*kola-fails\.service", seconds=60)
        assert screen.end(seconds=60) == 1
    (machine,) = desk.ps()
    assert machine["test"] == "defaults.boot.machine-id"
    assert desk.kola("ssh", "latest", "systemctl", "is-failed", "kola-fails.service") == "failed\n"
    desk.kola("stop", "--all")
    assert desk.ps() == []


def test_everything_that_is_done_with_a_kept_machine(desk: Desk, tmp_path: Path) -> None:
    """One machine: its shell, two consoles, files, the list, then kill -9 of those who use and hold it."""
    with desk.terminal("spawn", "--detach", "--workdir", str(desk.reference)) as screen:
        screen.expect(r"m1: .* \(clone\), until \d\d:\d\d; kola ssh m1", seconds=600)
        screen.expect(r"\nm1\n")
        assert screen.end() == 0
    (machine,) = desk.ps()
    with desk.terminal("ps") as screen:
        screen.expect(r"NAME\s+STATE\s+AGE.*\nm1\s+running\s+\w+\s+3h5\dm\s+clone")
        assert screen.end() == 0
    with desk.terminal("ssh") as shell:
        shell.expect(PROMPT, seconds=60)
        shell.type("sleep 300\r")
        # Before the shell reads on, the terminal's driver would take Ctrl-C and throw the typed line away.
        desk.kola("ssh", "m1", "timeout 60 sh -c 'until pgrep -fx \"sleep 300\"; do sleep 0.2; done'")
        shell.type("\x03")
        shell.expect(PROMPT, seconds=60)
        shell.type("tty; exit 5\r")
        shell.expect(r"\n/dev/pts/\d", seconds=60)
        assert shell.end(seconds=60) == 5
    with desk.terminal("ssh", "m1") as shell:
        shell.expect(PROMPT, seconds=60)
        shell.type("\x04")
        assert shell.end(seconds=60) == 0, "Ctrl-D ends a shell"
    with desk.terminal("console", "m1") as one, desk.terminal("console", "m1") as two:
        one.type("\r")
        two.expect("login: ", seconds=60)
        one.type("\x1d")
        assert one.end() == 0
        two.type("\x1d")
        two.expect("left the console of m1")
        assert two.end() == 0
    (tmp_path / "sent").write_text("there and back\n")
    for words in (["sent", "m1:/var/tmp/with blank"], ["m1:/var/tmp/with blank", "back"]):
        with desk.terminal("scp", *words, cwd=tmp_path) as screen:
            assert screen.end(seconds=60) == 0, screen.screen
    assert (tmp_path / "back").read_text() == "there and back\n"
    with desk.terminal("screenshot", "m1") as screen:
        screen.expect("has no display")
        assert screen.end() == 2
    sleeps = [*KOLA, "ssh", "m1", "sleep 300"]
    entered = subprocess.Popen(sleeps, env=desk.environment, stdin=subprocess.DEVNULL)
    Deadline(30).poll(lambda: command(entered.pid).startswith("ssh\0"), step="waiting for ssh")
    entered.kill()
    entered.wait()
    assert [one["state"] for one in desk.ps()] == ["running"]
    below = descendants(machine["pid"])
    assert any("qemu-system" in command(pid) for pid in below)
    os.kill(machine["pid"], signal.SIGKILL)
    Deadline(10).poll(lambda: not any(map(command, below)), step="waiting for QEMU to end")
    assert desk.ps() == []
    assert desk.kola("stop", "--all") == ""
    with socket.socket() as probe:
        assert probe.connect_ex((machine["ssh"]["host"], machine["ssh"]["port"])) != 0
    assert not Path(machine["directory"]).exists()


def test_stop_at_a_terminal_ends_a_shell_that_is_open(desk: Desk) -> None:
    desk.kola("spawn", "--detach", "--workdir", str(desk.reference))
    with desk.terminal("ssh", "m1") as shell:
        shell.expect(PROMPT, seconds=60)
        with desk.terminal("stop", "m1") as screen:
            screen.expect("m1 has ended", seconds=60)
            assert screen.end() == 0
        assert shell.end(seconds=120) != 0
    assert desk.ps() == []


def test_a_devshell_has_the_work_directory_and_a_display(desk: Desk, tmp_path: Path) -> None:
    with desk.terminal("qemuexec", "--devshell", "--display", "--workdir", str(desk.reference)) as shell:
        shell.expect(r"nest@nosa-devsh:.*\$ ", seconds=600)
        shell.type("ls /var/mnt/workdir; touch /var/mnt/workdir/x\r")
        shell.expect(r"\nbuilds", seconds=60)
        shell.expect("Read-only file system", seconds=60)
        with desk.terminal("screenshot", "-o", str(tmp_path / "shot.png")) as screen:
            screen.expect("shot.png")
            assert screen.end(seconds=60) == 0
        assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")
        shell.type("exit 0\r")
        assert shell.end(seconds=60) == 0
    assert desk.ps() == []


def test_under_pdb_the_machine_is_entered_from_another_terminal(desk: Desk, tmp_path: Path) -> None:
    suite = tmp_path / "testsuites"
    suite.mkdir()
    (suite / "test_mine.py").write_text(
        "import pytest\n@pytest.mark.kola()\ndef test_breaks(machine):\n    assert False, 'as planned'\n"
    )
    for package in ("kola", "harness"):
        (tmp_path / package).symlink_to(ROOT / package)
    options = f"--workdir {desk.reference} --output-dir {tmp_path / 'out'}"
    argv = [*PYTEST, "-n", "0", "--pdb", "testsuites", "--kola", options]
    with Terminal(argv, env=desk.environment, cwd=tmp_path) as terminal:
        name = terminal.expect(r"in another terminal: kola ssh (m\d+)", seconds=600)[1]
        terminal.expect(r"\(Pdb\)", seconds=60)
        assert desk.kola("ssh", name, "echo from aside") == "from aside\n"
        terminal.type("machine.run('echo from inside').stdout\r")
        terminal.expect("'from inside", seconds=60)
        terminal.type("q\r")
        terminal.end(seconds=60)
    assert desk.ps() == []


def descendants(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for parent in found:
        done = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False)
        found += [int(line) for line in done.stdout.split()]
    return found


def command(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def test_the_chart_of_a_boot_names_its_units(desk: Desk, tmp_path: Path) -> None:
    chart = tmp_path / "boot.svg"
    assert desk.kola("bootchart", "--workdir", str(desk.reference), "-o", str(chart)) == f"{chart}\n"
    drawn = chart.read_text()
    assert "<svg" in drawn
    assert "multi-user.target" in drawn
    assert desk.ps() == []
