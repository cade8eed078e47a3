"""Machines at the keyboard, on a real guest: keys are typed and the screen is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kolarun import ignition
from terminal import Terminal

from harness.util.deadline import Deadline

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

    def terminal(self, *words: str) -> Terminal:
        return Terminal([*KOLA, *words], env=self.environment)

    def ps(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.kola("ps", "--json").splitlines()]


@pytest.fixture(scope="module")
def desk(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(reference, tmp_path_factory.mktemp("state"))
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


def test_kill_9_of_the_keeper_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.kola("spawn", "--detach", "--workdir", str(desk.reference))
    (machine,) = desk.ps()
    (tmp_path / "sent").write_text("there and back\n")
    desk.kola("scp", str(tmp_path / "sent"), "m1:/var/tmp/sent")
    desk.kola("scp", "m1:/var/tmp/sent", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "there and back\n"
    below = descendants(machine["pid"])
    assert any("qemu-system" in command(pid) for pid in below)
    os.kill(machine["pid"], signal.SIGKILL)
    Deadline(10).poll(lambda: not any(map(command, below)), step="waiting for QEMU to end")
    assert desk.ps() == []
    assert not Path(machine["directory"]).exists()


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
