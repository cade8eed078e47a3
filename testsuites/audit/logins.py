"""Actual login attempts with all methods of OpenSSH's client."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing

import paramiko
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.audit.finding import Finding

PASSWORD = "nestos-Kola-4711"
_STRANGER = "kola-stranger"
_EMPTY = "kola-empty"
_RULE = "keys are the only way in"
_SECONDS = 60.0
_KEYS_ONLY = {"publickey", "gssapi-keyex", "gssapi-with-mic"}
"""Methods that sshd may offer. GSSAPI works only in a domain."""


def refusals(machine: Machine, distro: Distro) -> list[Finding]:
    """Return every method that logs in without a key, and every one that sshd offers beside keys.

    The methods are tried for root, the default user, a new user, one without a password, and each account
    with a shell; all but one with their correct password.
    """
    rows = machine.run("getent passwd").check().lines
    shells = {row.split(":")[0] for row in rows if not row.endswith(("/nologin", "/false", "/sync"))}
    users = sorted(shells & distro.shell_accounts | {"root", distro.user, _STRANGER} | shells)
    machine.run(f"useradd -M {_STRANGER}; useradd -M {_EMPTY}; passwd -d {_EMPTY}", sudo=True)
    lines = "".join(f"{user}:{PASSWORD}\n" for user in users)
    machine.run(["chpasswd"], sudo=True, input=lines).check()
    found = [finding for user in users for finding in _tried(machine, user, PASSWORD)]
    return [*found, *_tried(machine, _EMPTY, ""), *_trusted_hosts(machine, [distro.user, _STRANGER, "root"])]


_TRUST = """
mkdir -p /etc/ssh/ssh_config.d
for key in /etc/ssh/ssh_host_*_key.pub; do
    printf 'localhost,127.0.0.1,::1 %s\n' "$(cut -d' ' -f1,2 "$key")"
done > /etc/ssh/ssh_known_hosts
printf 'localhost\n127.0.0.1\n' | tee /etc/ssh/shosts.equiv > /etc/hosts.equiv
printf 'EnableSSHKeysign yes\nHostbasedAuthentication yes\n' > /etc/ssh/ssh_config.d/00-kola.conf
for home in /var/roothome /var/home/*; do cp /etc/ssh/shosts.equiv "$home/.shosts"; done
chmod 644 /etc/ssh/ssh_known_hosts /etc/ssh/shosts.equiv /etc/ssh/ssh_config.d/00-kola.conf
"""
"""This machine trusted as a host by its own key, by each file that sshd(8) names."""


def _trusted_hosts(machine: Machine, users: list[str]) -> Iterator[Finding]:
    """Users who get in because the host they come from is trusted, tried with the guest's own client."""
    machine.run(["sh", "-c", _TRUST], sudo=True)
    options = "-o BatchMode=yes -o PreferredAuthentications=hostbased -o ConnectTimeout=30"
    for user in users:
        tried = machine.run(f"ssh {options} {user}@localhost echo kola-got-in", sudo=True, timeout=120)
        if "kola-got-in" in tried.stdout:
            yield Finding(_RULE, user, "gets in since the host is trusted (hostbased)")
        elif "Permission denied" not in tried.stderr:
            yield Finding(
                "the tool works", "ssh", f"sshd did not refuse {user}: {tried.stderr.strip()[:80]!r}"
            )


def _tried(machine: Machine, user: str, password: str) -> Iterator[Finding]:
    with closing(_transport(machine)) as transport:
        try:
            transport.auth_none(user)
        except paramiko.BadAuthenticationType as refused:
            offered = set(refused.allowed_types)
        except paramiko.SSHException:
            offered = set()
        else:
            yield Finding(_RULE, user, "gets in with no proof at all (none)")
            return
        if more := sorted(offered - _KEYS_ONLY):
            yield Finding(_RULE, user, f"sshd offers {', '.join(more)}")
        for method in ("password", "keyboard-interactive"):
            if _gets_in(transport, user, password, method):
                yield Finding(_RULE, user, f"gets in with a password ({method})")
                return


def _gets_in(transport: paramiko.Transport, user: str, password: str, method: str) -> bool:
    try:
        if method == "password":
            transport.auth_password(user, password, fallback=False)
        else:
            transport.auth_interactive(user, lambda title, instructions, prompts: [password for _ in prompts])
    except (paramiko.SSHException, EOFError, OSError):
        return False
    return transport.is_authenticated()


def _transport(machine: Machine) -> paramiko.Transport:
    """Return a connection to sshd after the key exchange, before authentication."""
    transport = paramiko.Transport(machine.socket_to_sshd(_SECONDS))
    transport.banner_timeout = transport.auth_timeout = _SECONDS * machine.scale
    transport.start_client(timeout=_SECONDS * machine.scale)
    return transport


def refused_keys(machine: Machine, distro: Distro) -> list[Finding]:
    """Return every key type that sshd refuses although the default user has the key."""
    user = machine.access.user
    made: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "ssh-rsa": rsa.generate_private_key(65537, 2048),
        "ecdsa": ec.generate_private_key(ec.SECP256R1()),
    }
    public = [
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        for key in made.values()
    ]
    script = "umask 077; mkdir -p ~/.ssh && cat >> ~/.ssh/authorized_keys"
    machine.run(script, input="".join(f"{line}\n" for line in public)).check()
    private = {
        kind: key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        for kind, key in made.items()
    }
    loaded: dict[str, paramiko.PKey] = {
        "ssh-rsa": paramiko.RSAKey.from_private_key(io.StringIO(private["ssh-rsa"])),
        "ecdsa": paramiko.ECDSAKey.from_private_key(io.StringIO(private["ecdsa"])),
    }
    if "ecdsa-sha2-nistp256" not in distro.key_types:
        del loaded["ecdsa"]
    found = []
    for kind, key in loaded.items():
        with closing(_transport(machine)) as transport:
            try:
                transport.auth_publickey(user, key)
            except paramiko.SSHException as refused:
                found.append(Finding("the guide's key types are taken", kind, str(refused), "key_types"))
    return found
