"""Logins that must fail even when passwords are accepted."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from harness.machine.ssh import AuthenticationRefused

PASSWORD = "nestos-Kola-4711"


@pytest.mark.kola(name="misc.auth.bad-passwords", tags=["misc", "sshd"], guide="9.2#passwords-on-request")
def test_bad_passwords(machine: Machine, distro: Distro) -> None:
    """With passwords on, the right one opens the door; a wrong one, an empty one and a locked user do not."""
    machine.run(["chpasswd"], sudo=True, input=f"{distro.user}:{PASSWORD}\n").check()
    edit = f"sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' {distro.sshd_password_dropin}"
    machine.run(edit, sudo=True).check()
    machine.run("useradd -M kola-locked && useradd -M kola-open && passwd -d kola-open", sudo=True).check()
    machine.run("systemctl restart sshd.service || systemctl restart ssh.service", sudo=True).check()
    machine.connect(password=PASSWORD).close()
    for user, password in (
        (distro.user, PASSWORD.upper()),
        (distro.user, ""),
        ("kola-locked", ""),
        ("kola-locked", "!"),
        ("kola-open", ""),
        ("nobody-at-all", PASSWORD),
    ):
        with pytest.raises(AuthenticationRefused):
            machine.connect(user=user, password=password)
