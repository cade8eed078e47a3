"""Copies of a live ISO that carry configs and kernel arguments."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from isolab import AREA_SIZE, INITRD_AREA, KARGS, image, live_iso, needs_xorriso

from harness.artifact.distro import NESTOS
from harness.errors import ConfigError
from harness.installer import cpio
from harness.installer.isoimage import Embedded, IsoImage
from harness.installer.kargs import KargsEdit

pytestmark = needs_xorriso

CONFIG = b'{"ignition": {"version": "3.3.0"}}'
KEYFILE = {"eth.nmconnection": "[connection]\nid=nestos DHCP\n"}
APPEND = KargsEdit(append=("console=ttyS0,115200n8",))


@pytest.fixture
def iso(tmp_path: Path) -> IsoImage:
    return IsoImage(live_iso(tmp_path), NESTOS)


def test_pristine(iso: IsoImage) -> None:
    assert (iso.kargs.current, iso.kargs.default, iso.kargs.size) == (KARGS, KARGS, AREA_SIZE)
    assert iso.initrd.members() == {}
    assert iso.initrd.length == INITRD_AREA


def test_a_copy_carries_it_and_the_image_stays_as_it_was(iso: IsoImage, tmp_path: Path) -> None:
    before = hashlib.sha256(iso.path.read_bytes()).digest()
    copied = iso.copy(Embedded(CONFIG, KEYFILE, APPEND), tmp_path / "copy.iso")
    assert hashlib.sha256(iso.path.read_bytes()).digest() == before
    seen = IsoImage(copied, NESTOS)
    assert seen.kargs.current == KARGS + " console=ttyS0,115200n8"
    assert seen.initrd.members() == {
        "config.ign": CONFIG,
        "etc/nestos-firstboot-network/eth.nmconnection": KEYFILE["eth.nmconnection"].encode(),
    }


def test_both_menus_get_the_arguments_and_keep_what_follows(iso: IsoImage, tmp_path: Path) -> None:
    seen = IsoImage(iso.copy(Embedded(kargs=APPEND), tmp_path / "copy.iso"), NESTOS).iso
    for name in ("isolinux/isolinux.cfg", "EFI/openEuler/grub.cfg"):
        text = seen.read(seen.require(name)).decode()
        assert f"{KARGS} console=ttyS0,115200n8\n###" in text
        assert text.endswith("# NESTOS_KARG_EMBED_AREA\n")
        assert len(text) == iso.iso.require(name).length


def test_a_config_added_to_a_copy_keeps_what_it_carries(iso: IsoImage, tmp_path: Path) -> None:
    first = IsoImage(iso.copy(Embedded(keyfiles=KEYFILE), tmp_path / "a.iso"), NESTOS)
    second = IsoImage(first.copy(Embedded(config=CONFIG), tmp_path / "b.iso"), NESTOS)
    assert len(second.initrd.members()) == 2


def test_what_does_not_fit_is_said(iso: IsoImage) -> None:
    noise = random.Random(1).randbytes(300_000)
    with pytest.raises(ConfigError, match="bytes of config do not fit"):
        iso.overwrites(Embedded(config=noise))
    with pytest.raises(ConfigError, match="kernel arguments do not fit"):
        iso.overwrites(Embedded(kargs=KargsEdit(append=("a" * AREA_SIZE,))))


def test_an_image_without_the_feature_takes_no_network(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes no network"):
        IsoImage(live_iso(tmp_path, features=False), NESTOS).overwrites(Embedded(keyfiles=KEYFILE))


def test_areas_that_disagree(iso: IsoImage) -> None:
    offset, _, _ = iso.kargs.places[0]
    with iso.path.open("r+b") as file:
        file.seek(offset)
        file.write(b"other")
    with pytest.raises(ConfigError, match="do not agree"):
        IsoImage(iso.path, NESTOS).kargs  # noqa: B018


def test_an_iso_that_is_not_live(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/readme").write_text("hello")
    other = IsoImage(image(tmp_path / "t", tmp_path / "x.iso"), NESTOS)
    with pytest.raises(ConfigError, match=r"has no nestos/kargs\.json"):
        other.kargs  # noqa: B018
    with pytest.raises(ConfigError, match=r"has no images/ignition\.img"):
        other.initrd  # noqa: B018


def test_extract_pxe(iso: IsoImage, tmp_path: Path) -> None:
    files = iso.extract_pxe(tmp_path)
    assert {name: path.name for name, path in files.items()} == {
        "vmlinuz": "live-vmlinuz",
        "initrd.img": "live-initrd.img",
        "rootfs.img": "live-rootfs.img",
    }
    assert files["rootfs.img"].read_bytes() == b"rootfs" * 5000
    with pytest.raises(ConfigError, match="exists"):
        iso.extract_pxe(tmp_path)


@pytest.mark.parametrize(
    ("edit", "result"),
    [
        (KargsEdit(append=("x=1", "x=2")), "a b=1 c x=1 x=2"),
        (KargsEdit(delete=("b=1", "absent")), "a c"),
        (KargsEdit(delete=("b",)), "a b=1 c"),
        (KargsEdit(replace=("b=1=2",)), "a b=2 c"),
        (KargsEdit(append=("d",), delete=("a", "c"), replace=("b=1=3",)), "b=3 d"),
    ],
)
def test_editing_kernel_arguments(edit: KargsEdit, result: str) -> None:
    assert edit.apply("a b=1 c") == result


def test_a_replacement_without_its_parts() -> None:
    with pytest.raises(ConfigError, match="'b=1' cannot be replaced") as raised:
        KargsEdit(replace=("b=1",)).apply("b=1")
    assert raised.value.hint == "write KEY=OLD=NEW"


def test_a_medium_differs_from_the_image_by_the_same_bytes(iso: IsoImage, tmp_path: Path) -> None:
    what = Embedded(CONFIG, kargs=APPEND)
    medium = iso.medium(what, as_disk=True)
    data = bytearray(iso.path.read_bytes())
    for change in medium.overwrites:
        data[change.offset : change.offset + len(change.data)] = change.data
    assert (medium.path, medium.as_disk) == (iso.path, True)
    assert data == iso.copy(what, tmp_path / "copy.iso").read_bytes()


def test_an_archive_in_the_area_is_followed_by_zeros_only(iso: IsoImage) -> None:
    patch = iso.initrd.written({"config.ign": CONFIG})
    archive = cpio.pack({"config.ign": CONFIG})
    assert patch.offset == iso.iso.require("images/ignition.img").offset
    assert patch.data == archive + bytes(INITRD_AREA - len(archive))
