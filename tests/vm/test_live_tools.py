"""The real installer's own tools work on the live artifacts, and our code embeds what they embed.

No guest is started here. The artifacts come from `kola reference build --live`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.artifact.distro import distro_named
from harness.installer import cpio
from harness.installer.initrd import wrap_ignition
from harness.installer.isoimage import Embedded, IsoImage
from harness.installer.kargs import KargsEdit
from harness.reference.live import installer

CONFIG = b'{"ignition": {"version": "3.3.0"}}'
KEYFILE = "[connection]\nid=eth0\ntype=ethernet\n[ipv4]\nmethod=auto\n"
TOOL = installer.Installer(installer.location("x86_64")).program


def tool(*arguments: str | Path, input: bytes | None = None, status: int = 0) -> str:
    done = subprocess.run(
        [TOOL, *arguments], input=input, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == status, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def directory(live_reference: Path) -> Path:
    """The newest build's directory."""
    (found,) = (live_reference / "builds/latest").iterdir()
    return found


@pytest.fixture(scope="module")
def images(directory: Path) -> dict[str, Path]:
    meta = json.loads((directory / "meta.json").read_text())
    return {kind: directory / image["path"] for kind, image in meta["images"].items()}


@pytest.fixture
def iso(images: dict[str, Path], tmp_path: Path) -> Path:
    copied = tmp_path / "nestos.iso"
    shutil.copyfile(images["live-iso"], copied)
    return copied


def test_meta_lists_every_artifact_with_its_size_and_checksum(directory: Path) -> None:
    listed = json.loads((directory / "meta.json").read_text())["images"]
    assert set(listed) == {
        "qemu", "ostree", "metal", "metal4k", "openstack",
        "live-iso", "live-kernel", "live-initramfs", "live-rootfs",
    }  # fmt: skip
    for image in listed.values():
        path = directory / image["path"]
        assert path.stat().st_size == image["size"]
        with path.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == image["sha256"]


def test_iso_ignition(iso: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.ign"
    config.write_bytes(CONFIG)
    tool("iso", "ignition", "embed", "-i", config, iso)
    assert tool("iso", "ignition", "show", iso) == CONFIG.decode()
    tool("iso", "ignition", "embed", "-i", config, iso, status=1)
    tool("iso", "ignition", "embed", "-f", iso, input=b"{}")
    assert tool("iso", "ignition", "show", iso) == "{}"
    tool("iso", "ignition", "remove", iso)
    tool("iso", "ignition", "show", iso, status=1)


def test_iso_kargs(iso: Path, images: dict[str, Path]) -> None:
    default = tool("iso", "kargs", "show", "--default", iso).strip()
    assert "nestos.liveiso=nestos-12-REF" in default
    tool("iso", "kargs", "modify", "-a", "console=ttyS0,115200n8", "-d", "console=tty1", iso)
    shown = tool("iso", "kargs", "show", iso).strip()
    assert shown == default.replace(" console=tty1", "") + " console=ttyS0,115200n8"
    tool("iso", "kargs", "reset", iso)
    assert iso.read_bytes() == images["live-iso"].read_bytes()


def test_iso_customize(iso: Path, tmp_path: Path) -> None:
    names = ("dest.ign", "live.ign", "pre", "post", "eth0.nmconnection")
    dest, live_config, pre, post, keyfile = (tmp_path / name for name in names)
    for path in (dest, live_config):
        path.write_bytes(CONFIG)
    for path in (pre, post):
        path.write_text("#!/bin/sh\ntrue\n")
    keyfile.write_text(KEYFILE)
    # fmt: off
    tool(
        "iso", "customize",
        "--dest-device", "/dev/vda",
        "--dest-ignition", dest,
        "--dest-console", "ttyS0,115200n8",
        "--dest-karg-append", "quiet",
        "--network-keyfile", keyfile,
        "--live-ignition", live_config,
        "--live-karg-append", "console=ttyS0,115200n8",
        "--pre-install", pre,
        "--post-install", post,
        iso,
    )
    # fmt: on
    config = json.loads(tool("iso", "ignition", "show", iso))
    text = json.dumps(config)
    for member in ("/etc/nestos/dest.ign", "customize.yaml", "pre-install-pre", "post-install-post"):
        assert member in text
    assert "console=ttyS0" in tool("iso", "kargs", "show", iso)
    tool("iso", "network", "extract", "-C", tmp_path / "extracted", iso)
    assert (tmp_path / "extracted/eth0.nmconnection").read_text() == KEYFILE


def test_iso_network_embed(iso: Path, tmp_path: Path, images: dict[str, Path]) -> None:
    keyfile = tmp_path / "eth0.nmconnection"
    keyfile.write_text(KEYFILE)
    tool("iso", "network", "embed", "-k", keyfile, iso)
    embedded = IsoImage(iso, distro_named("nestos")).initrd.members()
    assert embedded == {"etc/nestos-firstboot-network/eth0.nmconnection": KEYFILE.encode()}
    tool("iso", "network", "remove", iso)
    assert iso.read_bytes() == images["live-iso"].read_bytes()


def test_iso_extract_pxe(iso: Path, tmp_path: Path, images: dict[str, Path]) -> None:
    directory = tmp_path / "pxe"
    directory.mkdir()
    tool("iso", "extract", "pxe", "-o", directory, iso)
    for name, kind in (
        ("vmlinuz", "live-kernel"),
        ("initrd.img", "live-initramfs"),
        ("rootfs.img", "live-rootfs"),
    ):
        assert (directory / f"nestos-{name}").read_bytes() == images[kind].read_bytes()


def test_iso_extract_minimal_iso(iso: Path, tmp_path: Path, images: dict[str, Path]) -> None:
    minimal, rootfs, url = tmp_path / "minimal.iso", tmp_path / "rootfs.img", "http://10.0.2.2/rootfs.img"
    tool("iso", "extract", "minimal-iso", iso, minimal, "--output-rootfs", rootfs, "--rootfs-url", url)
    assert rootfs.read_bytes() == images["live-rootfs"].read_bytes()
    assert minimal.stat().st_size < iso.stat().st_size / 2
    shown = tool("iso", "kargs", "show", minimal)
    assert f"nestos.live.rootfs_url={url}" in shown
    assert "nestos.liveiso=" not in shown


def test_pxe_customize(tmp_path: Path, images: dict[str, Path]) -> None:
    config, customized = tmp_path / "dest.ign", tmp_path / "initrd.img"
    config.write_bytes(CONFIG)
    arguments = ("--dest-device", "/dev/vda", "--dest-ignition", config, "-o", customized)
    tool("pxe", "customize", *arguments, images["live-initramfs"])
    original = images["live-initramfs"].read_bytes()
    content = customized.read_bytes()
    assert content.startswith(original)
    added = cpio.unpack(content[len(original) :])
    assert b"/etc/nestos/dest.ign" in added["config.ign"]


def test_pxe_ignition_wrap(tmp_path: Path) -> None:
    config, wrapped = tmp_path / "config.ign", tmp_path / "wrapped"
    config.write_bytes(CONFIG)
    tool("pxe", "ignition", "wrap", "-i", config, "-o", wrapped)
    assert wrapped.read_bytes() == wrap_ignition(CONFIG)
    assert tool("pxe", "ignition", "unwrap", wrapped) == CONFIG.decode()


def test_our_embedding_is_that_of_the_tool(iso: Path, tmp_path: Path, images: dict[str, Path]) -> None:
    config = tmp_path / "config.ign"
    config.write_bytes(CONFIG)
    tool("iso", "ignition", "embed", "-i", config, iso)
    tool("iso", "kargs", "modify", "-a", "console=ttyS0,115200n8", iso)
    embedded = Embedded(config=CONFIG, kargs=KargsEdit(append=("console=ttyS0,115200n8",)))
    ours = IsoImage(images["live-iso"], distro_named("nestos")).copy(embedded, tmp_path / "ours.iso")
    assert ours.read_bytes() == iso.read_bytes()
