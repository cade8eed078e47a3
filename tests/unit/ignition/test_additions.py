"""The harness's additions are valid by themselves and after merging."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig, additions, dataurl
from harness.ignition.additions import GuestFile

PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"

ALL = {
    "ssh_access": additions.ssh_access("nest", "ssh-ed25519 AAAA run\n"),
    "host_key": additions.host_key(PEM, "ssh-ed25519 BBBB"),
    "journal_stream": additions.journal_stream(),
    "journal_elsewhere": additions.journal_stream("com.example.a-b"),
    "autologin": additions.autologin("nest"),
    "debug": additions.debug_systemd_unit("systemd-udevd"),
    "files": additions.kola_files([GuestFile(path="/f", content=b"\x00" * 9000, mode=0o755, user="nest")]),
    "unit": additions.unit("a.service", "[Service]\nExecStart=/bin/true\n"),
    "dropin": additions.dropin("a.service", "b.conf", "[Service]\n"),
}


@pytest.mark.parametrize("piece", ALL.values(), ids=ALL.keys())
def test_each_is_valid_without_a_warning_and_raises_no_version(piece: IgnitionConfig) -> None:
    assert piece.validate() == ()
    assert IgnitionConfig.empty("3.1.0").merge(piece).version == "3.1.0"


def test_all_of_them_live_together_with_a_tests_own_config() -> None:
    user = {"name": "nest", "sshAuthorizedKeys": ["k"]}
    own = IgnitionConfig.from_dict({"ignition": {"version": "3.4.0"}, "passwd": {"users": [user]}})
    whole = own.merge(*ALL.values())
    assert whole.validate() == ()
    assert whole.to_dict()["passwd"]["users"][0]["sshAuthorizedKeys"] == ["k", "ssh-ed25519 AAAA run"]


def test_host_key_is_private_and_replaces_what_is_there() -> None:
    private, public, *ecdsa = ALL["host_key"].to_dict()["storage"]["files"]
    assert (private["mode"], private["overwrite"]) == (0o600, True)
    assert dataurl.decode(private["contents"]["source"]).decode() == PEM + "\n"
    assert public["path"] == private["path"] + ".pub"
    assert [file["mode"] for file in ecdsa] == [0o600, 0o644]


def test_the_ecdsa_host_key_follows_from_the_other_alone() -> None:
    def files(pem: str) -> list[str]:
        found = additions.host_key(pem, "ssh-ed25519 BBBB").to_dict()["storage"]["files"]
        return [dataurl.decode(file["contents"]["source"]).decode() for file in found[2:]]

    private, public = files(PEM)
    key = load_pem_private_key(private.encode(), None)
    assert key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == public.strip()
    assert files(PEM) == [private, public]
    assert files(f"{PEM} of another")[1] != public


def test_the_journal_unit_neither_waits_for_its_port_nor_fails() -> None:
    (unit,) = ALL["journal_stream"].to_dict()["systemd"]["units"]
    text = unit["contents"]
    assert unit["enabled"] is True
    assert "ConditionPathExists=/dev/virtio-ports/mantlejournal" in text
    assert "BindsTo" not in text and "Requires" not in text
    assert "ExecStart=-/bin/sh" in text and "Restart=no" in text
    assert r"dev-virtio\x2dports-mantlejournal.device" in text
    (other,) = ALL["journal_elsewhere"].to_dict()["systemd"]["units"]
    assert r"dev-virtio\x2dports-com.example.a\x2db.device" in other["contents"]
    assert "--output=json" in other["contents"]


@pytest.mark.parametrize("port", ["", "a/b", "a b", "a'b", "a$b", "a%b"])
def test_a_port_name_that_udev_cannot_link_is_refused(port: str) -> None:
    with pytest.raises(ConfigError):
        additions.journal_stream(port)


def test_autologin_covers_the_serial_consoles_of_each_architecture() -> None:
    names = [unit["name"] for unit in ALL["autologin"].to_dict()["systemd"]["units"]]
    assert names == [f"serial-getty@{tty}.service" for tty in ("ttyS0", "ttyAMA0", "hvc0")]


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(ConfigError):
        additions.kola_files([GuestFile(path="f", content="")])


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 60), st.booleans())
def test_contents_come_back_whatever_the_encoding(content: bytes, times: int, compress: bool) -> None:
    content = content * times
    url, compression = dataurl.encode(content, compress=compress)
    assert dataurl.unpack(url, compression) == content
    assert compression in ("", "gzip")
    assert re.fullmatch(r"[!-~]*", url)
    config = IgnitionConfig.from_dict(
        {
            "ignition": {"version": "3.0.0"},
            "storage": {"files": [{"path": "/f", "contents": {"source": url, "compression": compression}}]},
        }
    )
    assert config.validate() == ()


def test_the_shortest_encoding_is_taken() -> None:
    assert dataurl.encode(b"hello") == ("data:,hello", "")
    assert dataurl.encode(bytes(range(200, 240)))[0].startswith("data:;base64,")
    assert dataurl.encode(b"a" * 1000)[1] == "gzip"
    assert dataurl.encode(b"a" * 1000, compress=False)[1] == ""


SECRETS = {
    "passwd": {
        "users": [{"name": "nest", "passwordHash": "$y$hash", "sshAuthorizedKeys": ["ssh-ed25519 AAAA"]}],
        "groups": [{"name": "g", "passwordHash": "$y$hash"}],
    },
    "storage": {
        "files": [
            {"path": "/etc/motd", "contents": {"source": "data:,welcome"}},
            {"path": "/etc/shadow", "contents": {"source": "data:,hash"}},
            {
                "path": "/r",
                "contents": {
                    "source": "https://user:hash@example.com/r",
                    "httpHeaders": [
                        {"name": "Authorization", "value": "Bearer hash"},
                        {"name": "User-Agent", "value": "kola"},
                    ],
                },
            },
        ],
        "luks": [
            {"name": "a", "device": "/d", "keyFile": {"source": "data:,hash"}},
            {"name": "b", "device": "/e", "clevis": {"custom": {"pin": "tang", "config": "hash"}}},
        ],
    },
}


def test_no_secret_survives_redaction_and_all_else_does() -> None:
    config = IgnitionConfig.from_dict({"ignition": {"version": "3.3.0"}, **SECRETS}).merge(ALL["host_key"])
    clean = config.redact()
    text = clean.to_json()
    assert "hash" not in text.replace("passwordHash", "")
    assert "c2VjcmV0" not in text and "PRIVATE" not in text
    for kept in ("ssh-ed25519 AAAA", "data:,welcome", "example.com", "kola", "ssh-ed25519%20BBBB"):
        assert kept in text
    assert [f for f in clean.validate() if f.is_error] == []
    assert "$y$hash" in config.to_json()
