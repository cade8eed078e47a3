"""`installnestos`, the dialogue by which a person installs from the live system (user guide, 8.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from harness.errors import DeadlineExceeded
from harness.installer.follow import Follower
from harness.installer.isoimage import Embedded
from harness.installer.signs import ORDER, Stage
from harness.machine.boot import EmptyDisk
from testsuites.iso.lab import ISO, TARGET_GIB, Lab
from testsuites.iso.terminal import Terminal

pytestmark = [
    pytest.mark.kola(tags=["iso"], architectures=["x86_64"], timeout="30m"),
    pytest.mark.machine(memory_mib=2048),
]

USER = "alice"
PASSWORD = "qwer1234"
_NOTICE = "Notice: The default installation location is /dev/sda"
_TYPE_AFTER = 1.0
"""Seconds after the password prompt at which the terminal no longer echoes."""


@dataclass
class Wizard:
    """A live system whose console shows a shell, and the dialogue on it."""

    lab: Lab
    follower: Follower

    @classmethod
    def boot(cls, lab: Lab, *, expected: tuple[str, ...] = (), **machine: Any) -> Wizard:
        lab.require(ISO)
        medium = lab.iso().medium(Embedded(kargs=lab.on_console()))
        disk = EmptyDisk(TARGET_GIB)
        follower = lab.start(medium, plan=ORDER, disk=disk, expected=expected, network=False, **machine)
        follower.wait(Stage.INSTALL_STARTED)
        made = cls(lab, follower)
        made._see_prompt(180)
        return made

    def answer(self, user: str, password: str, location: str) -> None:
        """Run the wizard and answer its three questions."""
        console = self.follower.machine.console
        console.send_line("sudo installnestos")
        self._see(_NOTICE, 60)
        self._see("Please Set Username,Password and installation location", 30)
        self._see("Username:", 30)
        console.send_line(user)
        self._see("Password:", 30)
        console.wait_output(_TYPE_AFTER)
        console.send_line(password)
        shown = self._see(r"installation location\(sda\):", 60)
        assert not password or password not in shown, "the password was shown"
        console.send_line(location)

    def _see(self, pattern: str, seconds: float) -> str:
        machine = self.follower.machine
        return machine.console.expect(pattern, timeout=seconds).string

    def _see_prompt(self, seconds: float) -> None:
        self._see(rf"{self.lab.distro.user}@\S+[^\n]*\$ ?$", seconds)

    def shell(self, command: str, pattern: str) -> None:
        """Type a command, wait for its output and for the next prompt: sudo drops what is typed ahead."""
        self.follower.machine.console.send_line(command)
        self._see(pattern, 60)
        self._see_prompt(60)


def login(terminal: Terminal, wizard: Wizard, user: str, password: str) -> None:
    """Log in on the installed system's console with the typed password."""
    terminal.expect(r"login: ", timeout=300)
    wizard.follower.tracker.reach(Stage.CHECKS)
    terminal.send_line(user)
    terminal.expect("Password: ", timeout=60)
    terminal.send_line(password)
    try:
        terminal.expect(r"\$ $", timeout=90)  # of whatever shell a new user gets
    except DeadlineExceeded as error:
        raise AssertionError(f"no login with what was typed: {error.last_seen}") from None
    terminal.send_line("id -un; test -e /run/ostree-live || echo installed")
    assert user in terminal.expect("\ninstalled", timeout=60)


def install_and_log_in(lab: Lab, user: str, password: str, location: str, **machine: Any) -> None:
    with Terminal(lab.directory / "hvc0", scale=lab.scale) as terminal:
        wizard = Wizard.boot(lab, qemu_args=terminal.qemu_args, **machine)
        wizard.answer(user, password, location)
        wizard.follower.wait(Stage.INSTALLED_UP)
        terminal.forget()  # the live system's own prompt
        login(terminal, wizard, user, password)
        print(f"stages: {wizard.follower.tracker.describe()}")


@pytest.mark.kola(name="iso-wizard.default-disk", guide="8.3.1#wizard")
def test_default_disk(lab: Lab) -> None:
    """The wizard installs to /dev/sda when no location is typed, reboots, and the user logs in."""
    install_and_log_in(lab, USER, PASSWORD, "", primary_disk="channel=scsi")


@pytest.mark.kola(name="iso-wizard.explicit-disk", guide="8.3.1#wizard")
def test_explicit_disk(lab: Lab) -> None:
    """The wizard installs to the disk that is typed, without /dev/ before it."""
    install_and_log_in(lab, USER, PASSWORD, "vda")


@pytest.mark.kola(name="iso-wizard.empty-password", guide="8.3.1#wizard")
def test_empty_password(lab: Lab) -> None:
    """The wizard takes an empty password, with which the user logs in."""
    install_and_log_in(lab, USER, "", "vda")


@pytest.mark.kola(name="iso-wizard.unknown-disk", guide="8.3.1#wizard")
def test_unknown_disk(lab: Lab) -> None:
    """A disk that does not exist is refused: no reboot, and the disk that exists stays as it is."""
    wizard = Wizard.boot(lab, expected=("install-failed", "no-such-disk"))
    wizard.answer(USER, PASSWORD, "vdz")
    wizard._see("No such file or directory", 60)
    wizard._see_prompt(60)
    wizard.shell("sudo ls /root/myign.ign", "\n/root/myign.ign\n")
    wizard.shell("echo written=$(awk '{print $7}' /sys/block/vda/stat)", "written=0\n")
