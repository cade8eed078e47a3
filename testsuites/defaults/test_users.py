"""Accounts and their rights."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine

pytestmark = pytest.mark.kola(tags=["defaults", "users"])


@pytest.mark.kola(guide="7.4.1#users")
def test_default_user(machine: Machine, distro: Distro) -> None:
    """The default user has its id, home and comment."""
    fields = machine.run(["getent", "passwd", distro.user]).check().stdout.strip().split(":")
    user, home = distro.user, distro.home
    assert fields[2] == str(distro.user_id), f"{user} has uid {fields[2]}, not {distro.user_id}"
    comment = fields[4].rstrip(",")
    assert comment == distro.user_gecos, f"{user} has the comment {comment!r}, not {distro.user_gecos!r}"
    assert fields[5] in (home, home.removeprefix("/var")), f"{user} has the home {fields[5]}, not {home}"
    owner = machine.file(home).owner.partition(":")[0]
    assert owner == user, f"{home} belongs to {owner}, not to {user}"


@pytest.mark.kola(guide="7.4.1#groups")
def test_default_users_groups(machine: Machine, distro: Distro) -> None:
    """The default user is in the groups that administrate."""
    groups = machine.run(["id", "-nG", distro.user]).check().stdout.split()
    lacking = sorted(set(distro.admin_groups) - set(groups))
    assert not lacking, f"{distro.user} is not in {', '.join(lacking)}, only in {', '.join(groups)}"


@pytest.mark.kola()
def test_sudo_asks_for_no_password(machine: Machine) -> None:
    """The default user becomes root without a password."""
    uid = machine.run("sudo -n id -u").check().stdout.strip()
    assert uid == "0", f"sudo runs programs with uid {uid}, not 0"


@pytest.mark.kola(name="nestos.users.shells")
def test_only_people_have_shells(machine: Machine, distro: Distro) -> None:
    """No service account can log in."""
    allowed = {"root", distro.user, "sync", "shutdown", "halt", "operator"}
    people = []
    for line in machine.run("getent passwd").check().lines:
        name, shell = line.split(":")[0], line.rpartition(":")[2]
        if not shell.endswith(("nologin", "false")) and name not in allowed:
            people.append(line)
    assert not people, f"accounts of services have a shell: {'; '.join(people)}"


@pytest.mark.kola()
def test_no_account_has_a_password(machine: Machine) -> None:
    """Every password is locked or invalid: nobody ships with one."""
    shadow = machine.run("cat /etc/shadow", sudo=True).check().lines
    open_ = [line.split(":")[0] for line in shadow if line.split(":")[1][:1] not in ("!", "*")]
    assert not open_, f"/etc/shadow has a password of {', '.join(open_)}"


@pytest.mark.kola()
def test_dbus_refuses_the_unprivileged(machine: Machine) -> None:
    """A user who is not root may not restart a unit over D-Bus."""
    asked = machine.run(
        "busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager"
        " RestartUnit ss systemd-journald.service replace"
    )
    assert not asked.ok, "systemd restarted a unit for a user who is not root"
    refused = "denied" in asked.stderr.lower() or "authentication required" in asked.stderr.lower()
    assert refused, f"the call failed for another reason: {asked.stderr.strip()}"
