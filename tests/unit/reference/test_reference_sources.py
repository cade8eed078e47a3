"""The sources of the reference OS as a build directory has them."""

from __future__ import annotations

from pathlib import Path

from harness.reference.build.arch import ARCHES
from harness.reference.build.recipe import load_recipe
from harness.reference.build.sources import write_sources
from testsuites.build.sources import Treefile, content, overlay

RECIPE = load_recipe(ARCHES["x86_64"])


def test_they_say_what_the_recipe_lays_over_and_removes(tmp_path: Path) -> None:
    write_sources(RECIPE, tmp_path)
    treefile = Treefile.read(tmp_path / "src/config/manifest.yaml", "x86_64")
    assert "usr/share/icons" in treefile.remove_files
    assert not any("*" in path for path in treefile.remove_files)
    (layer,) = overlay(tmp_path / "src/config", treefile)
    assert "usr/etc/ssh/sshd_config.d/40-disable-passwords.conf" in content([layer], treefile).sums
    added = content([tmp_path / "overrides/rootfs"], treefile)
    assert list(added.sums) == ["usr/share/nestos/second-version"]
