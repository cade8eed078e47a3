"""SSH takes keys and nothing else."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from harness.machine.ssh import AuthenticationRefused

pytestmark = pytest.mark.kola(tags=["defaults", "sshd"])

PASSWORD = "nestos-Kola-4711"
EFFECTIVE = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
    "pubkeyauthentication": "yes",
}


@pytest.mark.kola(name="nestos.auth.verify", guide="9.2#keys-only")
def test_password_login_is_refused(machine: Machine, distro: Distro) -> None:
    """A right password is really tried and really refused."""
    machine.run(["chpasswd"], sudo=True, input=f"{distro.user}:{PASSWORD}\n").check()
    with pytest.raises(AuthenticationRefused) as refusal:
        machine.connect(password=PASSWORD)
    assert "password" not in refusal.value.methods, f"sshd offers {', '.join(refusal.value.methods)}"


@pytest.mark.kola(guide="9.2#passwords-on-request")
def test_password_login_is_accepted_once_configured(machine: Machine, distro: Distro) -> None:
    """After the documented edit and a restart of sshd the password is taken."""
    machine.run(["chpasswd"], sudo=True, input=f"{distro.user}:{PASSWORD}\n").check()
    machine.run(
        [
            "sed",
            "-i",
            "s/^PasswordAuthentication no/PasswordAuthentication yes/",
            distro.sshd_password_dropin,
        ],
        sudo=True,
    ).check()
    machine.run("systemctl restart sshd.service || systemctl restart ssh.service", sudo=True).check()
    with machine.connect(password=PASSWORD) as session:
        answer = session.run("whoami", timeout=30)
    assert answer.stdout.strip() == distro.user


@pytest.mark.kola(guide="4#keys-only")
def test_effective_configuration(machine: Machine) -> None:
    """sshd itself says: no passwords by any method, no empty ones, and keys are taken."""
    shown = machine.run("$(command -v sshd || echo /usr/sbin/sshd) -T", sudo=True).check().lines
    effective = dict(line.lower().split(" ", 1) for line in shown if " " in line)
    wrong = [
        f"{setting} is {effective.get(setting, 'not printed')}, not {wanted}"
        for setting, wanted in EFFECTIVE.items()
        if effective.get(setting) != wanted
    ]
    assert not wrong, f"by `sshd -T`, {'; '.join(wrong)}"


@pytest.mark.kola()
def test_unknown_key_is_refused(machine: Machine) -> None:
    """A key that nobody was given opens nothing."""
    from harness.machine.ssh import SshKey

    with pytest.raises(AuthenticationRefused):
        machine.connect(key=SshKey.generate("stranger"))


@pytest.mark.kola()
def test_host_keys_are_private(machine: Machine) -> None:
    """Host keys can be read by root alone."""
    modes = machine.run("stat -c '%a %U %n' /etc/ssh/ssh_host_*_key", sudo=True).check().lines
    assert modes, "there are no host keys"
    for line in modes:
        mode, owner, path = line.split()
        assert owner == "root", f"{path} belongs to {owner}, not to root"
        assert int(mode, 8) & 0o007 == 0, f"{path} has mode {mode}: others may read it"
