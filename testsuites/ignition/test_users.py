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


GROUPS = ("kola-crew", "kola-system")


def account(machine: Machine, user: str) -> list[str]:
    return machine.run(["getent", "passwd", user]).check().stdout.strip().split(":")


@pytest.mark.kola(name="nestos.ignition.v2.users", guide="7.4.1#users", tags=["ignition", "users", "smoke"])
def test_users(machine: Machine) -> None:
    """Users have the id, comment, home and shell they were given, system users those of the system."""
    assert account(machine, "ada")[2:] == ["2001", "4100", "Ada of kola", "/var/home/ada", "/bin/bash"]
    owner = machine.file("/var/home/ada").owner
    assert owner == "ada:kola-crew", f"/var/home/ada belongs to {owner}, not to ada:kola-crew"
    bert = account(machine, "bert")
    assert (bert[2], bert[6]) == ("2002", "/bin/sh")
    assert not machine.file(bert[5]).exists, "a home was made although the config says noCreateHome"
    assert not machine.run("getent group bert").ok, "a group was made although the config says noUserGroup"
    daemon = account(machine, "kola-daemon")
    assert 0 < int(daemon[2]) < 1000, f"the system user kola-daemon has uid {daemon[2]}, not one below 1000"
    assert daemon[6] == "/usr/sbin/nologin", f"kola-daemon has the shell {daemon[6]}, not /usr/sbin/nologin"


@pytest.mark.kola(name="nestos.ignition.groups", guide="7.4.1#groups")
def test_groups(machine: Machine) -> None:
    """Groups have the id they were given, and users are in theirs beside their own."""
    crew, system = (machine.run(f"getent group {name}").check().stdout.split(":")[2] for name in GROUPS)
    assert crew == "4100", f"the group kola-crew has gid {crew}, not 4100"
    assert 0 < int(system) < 1000, f"the system group kola-system has gid {system}, not one below 1000"
    first, *others = machine.run("id -nG ada").check().stdout.split()
    assert (first, set(others)) == ("kola-crew", {"wheel", "docker"})
    groups = machine.run("id -nG carl").check().stdout.split()
    assert groups == ["carl"], f"carl is in {', '.join(groups)}, not in carl alone"


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
    count = keys.count("ssh-ed25519 ")
    assert count == 2, f"{count} keys of the config are there, not two"
    for path in ("/var/home/ada/.ssh", *files):
        owner = machine.file(path).owner
        assert owner == "ada:kola-crew", f"{path} belongs to {owner}, not to ada:kola-crew"
        assert machine.file(path).mode & 0o077 == 0, f"{path} is open to others"


@pytest.mark.kola()
def test_password_hashes_are_secret(machine: Machine) -> None:
    """No user reads the hashes: neither in /etc nor in what Ignition was given."""
    hashes = "kolaKolaKola|CPjzNGH"
    mine = machine.run(f"grep -rEls '{hashes}' /etc /run /sys/firmware/qemu_fw_cfg /var/lib 2>/dev/null")
    readable = mine.stdout.split()
    assert not readable, f"any user reads hashes in {', '.join(readable)}"
    assert "/etc/shadow" in machine.run(f"grep -El '{hashes}' /etc/shadow", sudo=True).stdout
