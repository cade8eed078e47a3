"""Configs that the harness merges into a test's config, one for each purpose.

All are spec 3.0.0, so that merging never raises a config's version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.errors import ConfigError
from harness.ignition import dataurl
from harness.ignition.config import IgnitionConfig
from harness.ignition.journal import stream_unit
from harness.ignition.schema import Object

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
_ECDSA_KEY = "/etc/ssh/ssh_host_ecdsa_key"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the group of NIST's curve P-256 (FIPS 186-4, D.1.2.3)."""
SERIAL_TERMINALS = ("ttyS0", "ttyAMA0", "hvc0")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestFile:
    """A file to be written in the guest. It replaces an existing file."""

    path: str
    content: bytes | str
    mode: int = 0o644
    user: str | None = None
    group: str | None = None


def ssh_access(user: str, public_key: str) -> IgnitionConfig:
    """Let `user` log in with a key; the user is created if missing."""
    return _config(passwd={"users": [{"name": user, "sshAuthorizedKeys": [public_key.strip()]}]})


def host_key(private_pem: str, public: str) -> IgnitionConfig:
    """Give sshd a known ed25519 host key, which identifies the machine.

    An ECDSA key derived from it goes with it: sshd starts only after the guest has generated the missing
    ones.
    """
    return kola_files(
        [*_key_files(HOST_KEY, private_pem, public), *_key_files(_ECDSA_KEY, *_ecdsa(private_pem))]
    )


def _key_files(path: str, private_pem: str, public: str) -> tuple[GuestFile, GuestFile]:
    return (
        GuestFile(path=path, content=private_pem.strip() + "\n", mode=0o600),
        GuestFile(path=f"{path}.pub", content=public.strip() + "\n"),
    )


def _ecdsa(secret: str) -> tuple[str, str]:
    """Derive a P-256 key from `secret`: private key (PEM, SEC 1) and public key (OpenSSH), always the
    same.
    """
    number = int.from_bytes(hashlib.sha256(secret.encode()).digest(), "big")
    key = ec.derive_private_key(number % _P256_ORDER or 1, ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return private.decode(), key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def journal_stream(port: str = "mantlejournal") -> IgnitionConfig:
    """Send the journal of each boot, from its first line, to the virtio-serial port of this name.

    A machine without the port boots normally.
    """
    name, contents = stream_unit(port)
    return unit(name, contents, enabled=True)


def autologin(user: str, terminals: Iterable[str] = SERIAL_TERMINALS) -> IgnitionConfig:
    """Log `user` in on the serial consoles without a password."""
    agetty = f"/sbin/agetty --autologin {user} --noclear --keep-baud 115200,57600,38400,9600 %I $TERM"
    contents = f"[Service]\nExecStart=\nExecStart=-{agetty}\n"
    services = (f"serial-getty@{terminal}.service" for terminal in terminals)
    return _config().merge(*(dropin(service, "20-kola-autologin.conf", contents) for service in services))


def debug_systemd_unit(unit: str) -> IgnitionConfig:
    """Set the log level of a systemd unit to debug. The suffix `.service` may be omitted."""
    name = unit if "." in unit else f"{unit}.service"
    return dropin(name, "10-kola-debug.conf", "[Service]\nEnvironment=SYSTEMD_LOG_LEVEL=debug\n")


def kola_files(files: Iterable[GuestFile]) -> IgnitionConfig:
    """Write files, gzipped when that is smaller."""
    return _config(storage={"files": [_file(file) for file in files]})


def host_names(hosts: Iterable[tuple[str, str]]) -> IgnitionConfig:
    """Append (address, name) pairs to /etc/hosts."""
    source, compression = dataurl.encode(hosts_lines(hosts).encode())
    appended = {"source": source, "compression": compression}
    return _config(storage={"files": [{"path": "/etc/hosts", "append": [appended]}]})


def hosts_lines(hosts: Iterable[tuple[str, str]]) -> str:
    """Return lines in the format of hosts(5)."""
    return "".join(f"{address} {name}\n" for address, name in hosts)


def unit(name: str, contents: str | None = None, enabled: bool | None = None) -> IgnitionConfig:
    """Write a systemd unit; without contents, only enable or disable an existing one."""
    entry: Object = {"name": name}
    if contents is not None:
        entry["contents"] = contents
    if enabled is not None:
        entry["enabled"] = enabled
    return _config(systemd={"units": [entry]})


def dropin(unit: str, name: str, contents: str) -> IgnitionConfig:
    """Add a drop-in to a systemd unit; `name` ends in .conf."""
    return _config(systemd={"units": [{"name": unit, "dropins": [{"name": name, "contents": contents}]}]})


def _file(file: GuestFile) -> Object:
    if not file.path.startswith("/"):
        raise ConfigError(f"a file for the guest needs an absolute path, not {file.path!r}")
    content = file.content.encode() if isinstance(file.content, str) else file.content
    source, compression = dataurl.encode(content)
    entry: Object = {
        "path": file.path,
        "overwrite": True,
        "mode": file.mode,
        "contents": {"source": source, "compression": compression},
    }
    if file.user is not None:
        entry["user"] = {"name": file.user}
    if file.group is not None:
        entry["group"] = {"name": file.group}
    return entry


def _config(**sections: Object) -> IgnitionConfig:
    return IgnitionConfig.from_dict({"ignition": {"version": "3.0.0"}, **sections})
