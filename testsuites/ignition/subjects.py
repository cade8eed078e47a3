"""Configs that several tests share, and the keys to what is in them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.ignition import IgnitionConfig
from harness.ignition.butane import translate
from harness.machine.ssh import SshKey


def from_butane(name: str) -> IgnitionConfig:
    """The config that a Butane file of this folder stands for."""
    path = Path(__file__).with_name(name)
    return translate(path.read_text(), files_dir=path.parent, source=path).config


def key_of_ada() -> SshKey:
    """The key pair whose public half is in everything.bu: always the same, so that machines can be shared."""
    key = Ed25519PrivateKey.from_private_bytes(b"a key of kola's suite, no secret")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return SshKey(private.decode(), public.decode())


EVERYTHING = from_butane("everything.bu")
DISKS = from_butane("disks.bu")
