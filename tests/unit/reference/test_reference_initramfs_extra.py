"""The lists of what the initramfs takes from the deployment are complete, and hold in the finished tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.reference.build.initramfs_extra import check_lists
from harness.reference.build.recipe import GUEST, read_list

EXTRA = GUEST / "initramfs/extra"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    lists = tmp_path / "usr/lib/nestos/initramfs-extra"
    lists.mkdir(parents=True)
    (lists / "raid").write_text("etc/alternatives/awk\nusr/bin/awk\nusr/sbin/mdadm\n")
    for path in ("usr/etc/alternatives/awk", "usr/bin/awk"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to("/usr/bin/mawk")
    (tmp_path / "usr/sbin").mkdir()
    (tmp_path / "usr/sbin/mdadm").write_text("")
    return tmp_path


def test_links_and_configuration_count_as_there(tree: Path) -> None:
    check_lists(tree)


def test_what_the_recipe_removed_is_named(tree: Path) -> None:
    (tree / "usr/sbin/mdadm").unlink()
    with pytest.raises(InfrastructureError, match=r"for raid: usr/sbin/mdadm$"):
        check_lists(tree)


def test_every_group_has_programs_and_drivers_and_is_asked_for() -> None:
    groups = {path.stem for path in EXTRA.iterdir()}
    asks = (GUEST / "initramfs/scripts/extra").read_text()
    for group in groups:
        assert read_list(EXTRA / f"{group}.files")
        assert read_list(EXTRA / f"{group}.drivers")
        assert group in asks


def test_comments_are_no_read_list(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# a comment\nmdadm mdmon # another\n\n/usr/lib/x\n")
    assert read_list(tmp_path / "list") == ["mdadm", "mdmon", "/usr/lib/x"]
