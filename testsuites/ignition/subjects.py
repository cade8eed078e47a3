"""Configs that several tests share, and their keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.butane import translate
from harness.ignition import IgnitionConfig
from harness.machine.ssh import SshKey


def from_butane(name: str) -> IgnitionConfig:
    """Return the config that a Butane file of this folder translates to."""
    path = Path(__file__).with_name(name)
    return translate(path.read_text(encoding="utf-8"), files_dir=path.parent, source=path).config


def key_of_ada() -> SshKey:
    """Return the key pair of the public key in everything.bu: always the same, so that machines can be
    shared.
    """
    key = Ed25519PrivateKey.from_private_bytes(b"a key of kola's suite, no secret")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return SshKey(private.decode(), public.decode())


EVERYTHING = from_butane("everything.bu")
DISKS = pytest.mark.machine(
    ignition=from_butane("disks.bu"),
    boot="clone",
    disks=["1G:serial=whole", "1G:serial=parts", "2G:serial=kinds", "1G:mpath,wwn=1234"],
)
"""The machine with all kinds of disks. Its config does not mention the last one, which has two paths."""

TWO_PATHS = 4
"""The number of that disk."""
