"""`src/config` and `overrides` of the build directory, as if `nosa build` had read the recipe from them."""

from __future__ import annotations

import json
from pathlib import Path

from harness.reference.build import tree
from harness.reference.build.recipe import Recipe

_LAYER = "05reference"


def write_sources(recipe: Recipe, target: Path) -> None:
    """Write the oldest version's overlay as a layer of overlay.d, and later additions as overrides/rootfs.

    The manifest names that layer, and the full paths that the recipe removes.
    """
    oldest, *later = recipe.versions
    config = target / "src/config"
    layer = config / "overlay.d" / _LAYER
    rootfs = target / "overrides/rootfs"
    for directory in (layer, rootfs):
        directory.mkdir(parents=True)
    tree.lay_over(oldest.overlay, layer)
    for version in later:
        tree.lay_over(version.overlay, rootfs)
    manifest = {
        "variables": {"stream": recipe.stream},
        "ref": recipe.ref,
        "ostree-layers": [f"overlay/{_LAYER}"],
        "remove-files": [path for path in recipe.tree.remove if "*" not in path],
    }
    # JSON is a subset of YAML.
    (config / "manifest.yaml").write_text(json.dumps(manifest, indent=4) + "\n", encoding="utf-8")
