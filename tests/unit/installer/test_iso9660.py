"""The reader of ISO 9660 images."""

from __future__ import annotations

from pathlib import Path

import pytest
from isolab import VOLUME, image, live_iso, needs_xorriso, tree

from harness.errors import ConfigError
from harness.installer.iso9660 import Iso9660

pytestmark = needs_xorriso


def test_volume_and_files(tmp_path: Path) -> None:
    iso = Iso9660(live_iso(tmp_path))
    assert iso.volume_id == VOLUME
    assert iso.read(iso.require("images/pxeboot/vmlinuz")) == b"kernel" * 100
    assert iso.find("images/nothing") is None
    assert iso.find("images/pxeboot/vmlinuz/more") is None


@pytest.mark.parametrize("level", [1, 3])
@pytest.mark.parametrize("rock_ridge", [True, False])
def test_names_are_found_whatever_the_image_keeps_of_them(
    tmp_path: Path, level: int, rock_ridge: bool
) -> None:
    source = tree(tmp_path / "tree")
    iso = Iso9660(image(source, tmp_path / "a.iso", level=level, rock_ridge=rock_ridge))
    for name in ("nestos/kargs.json", "NESTOS/KARGS.JSO" if level == 1 else "NESTOS/KARGS.JSON"):
        assert iso.read(iso.require(name)) == (source / "nestos/kargs.json").read_bytes()
    grub = (source / "EFI/openEuler/grub.cfg").read_bytes()
    assert iso.read(iso.require("EFI/openEuler/grub.cfg")) == grub
    if level == 1:
        assert iso.read(iso.require("EFI/openEule/grub.cfg")) == grub


def test_a_long_rock_ridge_name_continues_elsewhere(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    long = "n" * 240 + ".txt"
    (source / long).write_text("far away")
    iso = Iso9660(image(source, tmp_path / "a.iso"))
    assert iso.read(iso.require(long)) == b"far away"


def test_a_directory_of_many_sectors(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    (source / "many").mkdir()
    for number in range(200):
        (source / "many" / f"file-number-{number}").write_text(str(number))
    iso = Iso9660(image(source, tmp_path / "a.iso"))
    assert iso.read(iso.require("many/file-number-199")) == b"199"
    assert sum(entry.path.parent.name == "many" for entry in iso.walk()) == 200


def test_a_file_that_is_no_image(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(100_000))
    with pytest.raises(ConfigError, match="is no ISO 9660 image"):
        Iso9660(other)
    with pytest.raises(ConfigError, match="cannot be read"):
        Iso9660(tmp_path / "missing")


def test_an_image_cut_short(tmp_path: Path) -> None:
    path = live_iso(tmp_path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100_000)
    with pytest.raises(ConfigError, match="its volume descriptor says"):
        Iso9660(path)
