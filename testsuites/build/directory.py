"""Checks of a build directory. Each returns complaints, or none if it is as `nosa build` leaves it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from harness.artifact import Build
from harness.artifact.unpack import unpack
from harness.errors import ConfigError

_REQUIRED = ("name", "ostree-timestamp", "ostree-version")
_SUMS = ("ostree-commit", "ostree-content-checksum", "rpm-ostree-inputhash")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = "coreos-assembler.build-timestamp"


def complaints_of_layout(build: Build) -> list[str]:
    """Return complaints about builds.json, `latest`, and the files that describe the build."""
    builds = build.directory.parents[1]
    return [*_of_index(builds, build), *_of_meta(build), *_of_commit(build)]


def complaints_of_artifact(build: Build, kind: str) -> list[str]:
    """Return complaints about one artifact: it differs from meta.json, or its format is not that of its
    kind.
    """
    artifact = build.artifact(kind)
    try:
        artifact.ready()
    except ConfigError as error:
        return [str(error)]
    with artifact.path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != artifact.sha256:
        return [f"{artifact.path.name}: its sha256 is {found}, meta.json says {artifact.sha256}"]
    return []


def complaints_of_packing(build: Build, kind: str, scratch: Path) -> list[str]:
    """Return complaints about a compressed artifact that does not unpack to the file in meta.json.

    It is unpacked in the directory `scratch`, even if cached, and removed.
    """
    artifact = build.artifact(kind)
    assert artifact.compression is not None
    unpacked = scratch / artifact.path.stem
    try:
        found = unpack(artifact.path, unpacked, artifact.compression), unpacked.stat().st_size
    except ConfigError as error:
        return [str(error)]
    finally:
        unpacked.unlink(missing_ok=True)
    said = artifact.uncompressed_sha256, artifact.uncompressed_size
    if found != said:
        return [f"{artifact.path.name}: unpacks to sha256 and size {found}, meta.json says {said}"]
    return []


def _of_index(builds: Path, build: Build) -> list[str]:
    rows = _json(builds / "builds.json")["builds"]
    ids = [row["id"] for row in rows]
    said = []
    if len(set(ids)) != len(ids):
        said.append(f"builds.json has a build twice: {ids}")
    if not any(row["id"] == build.id and build.arch in row["arches"] for row in rows):
        said.append(f"builds.json has no {build.id} of {build.arch}")
    # Of older builds often only the entry remains.
    here = [name for name in ids if (builds / name).is_dir()]
    times = [
        _json(file)[_TIME] for name in here if (file := builds / name / build.arch / "meta.json").is_file()
    ]
    if times != sorted(times, reverse=True):
        said.append(f"builds.json is not in order, the newest first: {list(zip(here, times, strict=False))}")
    latest = builds / "latest"
    if not latest.is_symlink():
        said.append("builds/latest is no symbolic link")
    elif str(latest.readlink()) != here[0]:
        said.append(f"builds/latest points to {latest.readlink()}, the newest build is {here[0]}")
    return said


def _of_meta(build: Build) -> list[str]:
    meta = _json(build.meta_file)
    place = build.directory.parent.name, build.directory.name
    said = []
    if (meta.get("buildid"), meta.get("coreos-assembler.basearch")) != place:
        said.append(f"meta.json is not that of {'/'.join(place)}")
    said += [f"meta.json has no {key}" for key in _REQUIRED if not meta.get(key)]
    said += [f"meta.json: {key} is no sum" for key in _SUMS if not _SHA256.fullmatch(str(meta.get(key)))]
    prefix = f"{build.name}-{build.id}-"
    said += [
        f"images.{kind} is not called {prefix}…: {image.path}"
        for kind, image in build.meta.images.items()
        if not image.path.startswith(prefix) or build.arch not in image.path
    ]
    return said


def _of_commit(build: Build) -> list[str]:
    version = _json(build.directory / "commitmeta.json").get("version")
    if version != build.meta.ostree_version:
        return [f"commitmeta.json is of version {version}, meta.json of {build.meta.ostree_version}"]
    return []


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
