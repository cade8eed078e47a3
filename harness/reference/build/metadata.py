"""The files that make a directory a build, as `nosa build` writes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.reference.build.commit import Commit
from harness.reference.build.packages import Package
from harness.reference.build.recipe import Recipe, Version


@dataclass(frozen=True)
class Image:
    """An artifact as `meta.json` lists it."""

    path: str
    sha256: str
    size: int


def describe(path: Path) -> Image:
    """Measure a finished artifact."""
    with path.open("rb") as file:
        return Image(path.name, hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def artifact_name(recipe: Recipe, version: Version, kind: str, suffix: str) -> str:
    """Return `nestos-<version>-<kind>.<arch>.<suffix>`."""
    return f"{recipe.name}-{version.id}-{kind}.{recipe.arch.name}.{suffix}"


def meta(
    recipe: Recipe, version: Version, made: Commit, images: Mapping[str, Image], *, recipe_hash: str
) -> dict[str, Any]:
    """Return the content of `meta.json`; `images` maps artifact kinds to the artifacts."""
    return {
        "buildid": version.id,
        "name": recipe.name,
        "summary": "kola reference OS",
        "ostree-commit": made.checksum,
        "ostree-content-checksum": made.content_checksum,
        "ostree-timestamp": version.timestamp,
        "ostree-version": version.id,
        "ref": recipe.ref,
        "rpm-ostree-inputhash": hashlib.sha256(f"{recipe_hash} {version.id}".encode()).hexdigest(),
        "coreos-assembler.basearch": recipe.arch.name,
        "coreos-assembler.build-timestamp": version.timestamp,
        "coreos-assembler.config-gitrev": recipe_hash,
        "coreos-assembler.delayed-meta-merge": False,
        "coreos-assembler.overrides-active": version is not recipe.versions[0],
        "images": {
            kind: {"path": image.path, "sha256": image.sha256, "size": image.size}
            for kind, image in images.items()
        },
    }


def commit_meta(recipe: Recipe, version: Version, packages: Sequence[Package]) -> dict[str, Any]:
    """Return the content of `commitmeta.json`: the metadata of the commit, and its packages."""
    return {
        "nestos.stream": recipe.stream,
        "version": version.id,
        "ostree.bootable": True,
        "rpmostree.rpmdb.pkglist": [list(package.row) for package in packages],
    }


def builds(recipe: Recipe) -> dict[str, Any]:
    """Return the content of `builds.json`: newest first."""
    newest_first = list(reversed(recipe.versions))
    return {
        "schema-version": "1.0.0",
        "builds": [{"id": version.id, "arches": [recipe.arch.name]} for version in newest_first],
        "timestamp": newest_first[0].timestamp,
        "tags": [],
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, indented like the original's."""
    path.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
