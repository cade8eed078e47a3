"""Users and groups of the config exist, and can get in as it says."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from harness.machine.ssh import AuthenticationRefused
from testsuites.ignition.subjects import EVERYTHING, key_of_ada

pytestmark = [
    pytest.mark.kola(tags=["ignition", "users"]),
    pytest.mark.machine(ignition=EVERYTHING, boot="clone"),
]

PASSWORDS = {"ada": "correct horse 4711", "bert": "correct horse 4711", "carl": "qwer1234"}
"""Hashed with yescrypt, with SHA-512, and as the guide does it (7.5.1): `openssl passwd -1 -salt root`."""


def account(machine: Machine, user: str) -> list[str]:
    return machine.run(["getent", "passwd", user]).check().stdout.strip().split(":")


@pytest.mark.kola(name="nestos.ignition.v2.users", guide="7.4.1#users", tags=["ignition", "users", "smoke"])
def test_users(machine: Machine) -> None:
    """Users have the id, comment, home and shell they were given, system users those of the system."""
    assert account(machine, "ada")[2:] == ["2001", "4100", "Ada of kola", "/var/home/ada", "/bin/bash"]
    assert machine.file("/var/home/ada").owner == "ada:kola-crew"
    bert = account(machine, "bert")
    assert (bert[2], bert[6]) == ("2002", "/bin/sh")
    assert not machine.file(bert[5]).exists, "a home was made although the config says noCreateHome"
    assert not machine.run("getent group bert").ok, "a group was made although the config says noUserGroup"
    daemon = account(machine, "kola-daemon")
    assert 0 < int(daemon[2]) < 1000
    assert daemon[6] == "/usr/sbin/nologin"


@pytest.mark.kola(name="nestos.ignition.groups", guide="7.4.1#groups")
def test_groups(machine: Machine) -> None:
    """Groups have the id they were given, and users are in theirs beside their own."""
    assert machine.run("getent group kola-crew").check().stdout.split(":")[2] == "4100"
    assert 0 < int(machine.run("getent group kola-system").check().stdout.split(":")[2]) < 1000
    first, *others = machine.run("id -nG ada").check().stdout.split()
    assert (first, set(others)) == ("kola-crew", {"wheel", "docker"})
    assert machine.run("id -nG carl").check().stdout.split() == ["carl"]


@pytest.mark.kola(guide="7.4.1#password-hash", tags=["ignition", "users", "smoke"])
def test_password_hashes(machine: Machine) -> None:
    """Passwords hashed with yescrypt, SHA-512 and MD5 let their users in; others do not."""
    for user, password in PASSWORDS.items():
        let_in = machine.run(["su", user, "-c", "id -un"], input=f"{password}\n")
        assert let_in.stdout.strip() == user, f"{user}: {let_in.stderr}"
        refused = machine.run(["su", user, "-c", "id -un"], input=f"{password}x\n")
        assert not refused.ok, f"{user} gets in with a wrong password"


@pytest.mark.kola(guide="7.4.1#ssh-keys")
def test_ssh_keys(machine: Machine) -> None:
    """The key in the config opens that user's door, and nobody else's."""
    with machine.connect(user="ada", key=key_of_ada()) as session:
        answer = session.run("id -un", timeout=30)
    assert answer.stdout.strip() == "ada"
    with pytest.raises(AuthenticationRefused):
        machine.connect(user="carl", key=key_of_ada())


@pytest.mark.kola(guide="7.4.1#ssh-keys")
def test_all_ssh_keys_are_written(machine: Machine) -> None:
    """A user has all keys of the config, in files nobody else may write."""
    files = machine.run("find /var/home/ada/.ssh -type f", sudo=True).check().lines
    keys = machine.run(["cat", *files], sudo=True).check().stdout
    assert keys.count("ssh-ed25519 ") == 2
    for path in ("/var/home/ada/.ssh", *files):
        assert machine.file(path).owner == "ada:kola-crew"
        assert machine.file(path).mode & 0o077 == 0, f"{path} is open to others"


@pytest.mark.kola()
def test_password_hashes_are_secret(machine: Machine) -> None:
    """No user reads the hashes: neither in /etc nor in what Ignition was given."""
    hashes = "kolaKolaKola|CPjzNGH"
    mine = machine.run(f"grep -rEls '{hashes}' /etc /run /sys/firmware/qemu_fw_cfg /var/lib 2>/dev/null")
    assert mine.stdout.split() == []
    assert "/etc/shadow" in machine.run(f"grep -El '{hashes}' /etc/shadow", sudo=True).stdout
