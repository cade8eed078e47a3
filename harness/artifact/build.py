"""A build directory as `nosa build` leaves it: builds.json, meta.json, and the artifacts they name.

Formats: coreos-assembler's builds.json (schema 1) and meta.json (src/v1.json of that project).
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.artifact.artifact import Artifact
from harness.artifact.distro import DISTROS
from harness.artifact.formats import format_of_kind
from harness.errors import ConfigError

SCHEMA_MAJOR = "1"
LATEST = "latest"

M = TypeVar("M", bound=BaseModel)


class ImageMeta(BaseModel):
    """One entry of meta.json's `images`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    path: str
    sha256: str | None = None
    size: int | None = None
    uncompressed_sha256: str | None = Field(
        default=None, alias="uncompressed-sha256", pattern=r"^[0-9a-f]{64}$"
    )
    uncompressed_size: int | None = Field(default=None, alias="uncompressed-size")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        pure = PurePosixPath(value)
        if not value or pure.is_absolute() or ".." in pure.parts:
            raise ValueError("must be a file name inside the build directory")
        return value


class BuildMeta(BaseModel):
    """What we read of meta.json; further keys are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    buildid: str
    name: str
    images: dict[str, ImageMeta] = Field(default_factory=dict)
    basearch: str | None = Field(default=None, alias="coreos-assembler.basearch")
    ostree_commit: str | None = Field(default=None, alias="ostree-commit")
    ostree_version: str | None = Field(default=None, alias="ostree-version")


class BuildEntry(BaseModel):
    """One build of builds.json."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str
    arches: tuple[str, ...] = ()


class BuildIndex(BaseModel):
    """builds.json: the builds, newest first."""

    model_config = ConfigDict(extra="allow", frozen=True)

    schema_version: str = Field(alias="schema-version")
    builds: tuple[BuildEntry, ...] = ()


@dataclass(frozen=True)
class Build:
    """One build of one architecture."""

    directory: Path
    arch: str
    meta: BuildMeta = field(repr=False)
    stream: str | None = None

    @property
    def id(self) -> str:
        return self.meta.buildid

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def meta_file(self) -> Path:
        return self.directory / "meta.json"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The artifacts this build has, by meta.json's image keys."""
        return tuple(sorted(self.meta.images))

    def has(self, kind: str) -> bool:
        return kind in self.meta.images

    def artifact(self, kind: str) -> Artifact:
        """The artifact under this key of `images` (`qemu`, `live-iso`, `metal4k`); ConfigError if absent."""
        image = self.meta.images.get(kind)
        if image is None:
            have = ", ".join(self.kinds) or "none at all"
            raise ConfigError(
                f"build {self.id} ({self.arch}) has no {kind} artifact",
                file=self.meta_file,
                hint=f"it has: {have}; make it with nosa buildextend-*, or choose another --build",
            )
        return Artifact(
            kind=kind,
            path=self.directory / image.path,
            format=format_of_kind(kind),
            sha256=image.sha256,
            size=image.size,
            uncompressed_sha256=image.uncompressed_sha256,
            uncompressed_size=image.uncompressed_size,
            origin=self.meta_file,
        )


@dataclass(frozen=True)
class BuildRoot:
    """A directory that holds `builds/`."""

    path: Path

    @staticmethod
    def is_root(path: Path) -> bool:
        return (path / "builds").is_dir()

    @property
    def builds(self) -> Path:
        return self.path / "builds"

    def find(self, build: str = LATEST, arch: str | None = None) -> Build:
        """The build called `build`: an id, `latest`, or `-1`, `-2` counted back from the newest.

        `arch` is this host's when not given. Raises ConfigError naming what there is instead.
        """
        if not self.is_root(self.path):
            raise ConfigError(
                f"{self.path} is not a build directory: it has no builds/",
                hint="run kola where nosa was run, or name that directory with --workdir",
            )
        arch = arch or platform.machine()
        index = self._index()
        if not index.builds:
            raise ConfigError("no builds yet", file=self.builds / "builds.json", hint="run nosa build first")
        if build == LATEST:
            entry = self._latest(index, arch)
        elif build.startswith("-"):
            entry = self._counted_back(index, build)
        else:
            entry = self._by_id(index, build)
        return self._load(entry, arch)

    def parent_of(self, build: Build) -> Build:
        """The build before this one, of its architecture; ConfigError when it is the oldest."""
        index = self._index()
        ours = [entry for entry in index.builds if build.arch in entry.arches]
        position = next((number for number, entry in enumerate(ours) if entry.id == build.id), len(ours))
        if position + 1 >= len(ours):
            raise ConfigError(
                f"build {build.id} ({build.arch}) has no build before it to come from",
                file=self.builds / "builds.json",
                hint="fetch one with nosa buildfetch, or name an image with --qemu-image",
            )
        return self._load(ours[position + 1], build.arch)

    def _index(self) -> BuildIndex:
        file = self.builds / "builds.json"
        index = _read(file, BuildIndex, hint="a build directory is made by nosa init and nosa build")
        major = index.schema_version.partition(".")[0]
        if major != SCHEMA_MAJOR:
            raise ConfigError(
                f"schema-version {index.schema_version} is not supported",
                file=file,
                hint=f"this kola reads schema {SCHEMA_MAJOR}.x",
            )
        return index

    def _latest(self, index: BuildIndex, arch: str) -> BuildEntry:
        """What `builds/latest` points at, when it has our architecture; else the newest build that does."""
        link = self.builds / LATEST
        pointed = link.resolve().name if link.exists() else None
        ours = [entry for entry in index.builds if arch in entry.arches]
        for entry in ours:
            if entry.id == pointed:
                return entry
        return ours[0] if ours else index.builds[0]

    def _counted_back(self, index: BuildIndex, build: str) -> BuildEntry:
        try:
            back = -int(build)
        except ValueError:
            raise ConfigError(
                f"no build number: {build!r}",
                hint="write -1 for the build before the newest, -2 for the next",
            ) from None
        if back >= len(index.builds) or back < 1:
            raise ConfigError(
                f"there is no build {build}",
                file=self.builds / "builds.json",
                hint=f"{len(index.builds)} builds are there: {_some(index)}",
            )
        return index.builds[back]

    def _by_id(self, index: BuildIndex, build: str) -> BuildEntry:
        for entry in index.builds:
            if entry.id == build:
                return entry
        raise ConfigError(
            f"there is no build {build!r}",
            file=self.builds / "builds.json",
            hint=f"builds there: {_some(index)}",
        )

    def _load(self, entry: BuildEntry, arch: str) -> Build:
        if arch not in entry.arches:
            have = ", ".join(entry.arches) or "none"
            raise ConfigError(
                f"build {entry.id} was not made for {arch}",
                file=self.builds / "builds.json",
                hint=f"its architectures: {have}; choose with --arch or --build",
            )
        directory = self.builds / entry.id / arch
        meta = _read(
            directory / "meta.json", BuildMeta, hint="builds.json names this build; build or fetch it again"
        )
        return Build(directory=directory, arch=arch, meta=meta, stream=_stream(directory, meta))


def _some(index: BuildIndex, limit: int = 8) -> str:
    ids = [entry.id for entry in index.builds]
    more = f" and {len(ids) - limit} older" if len(ids) > limit else ""
    return ", ".join(ids[:limit]) + more


def _stream(directory: Path, meta: BuildMeta) -> str | None:
    """The stream the commit was made for, from commitmeta.json, else from meta.json itself."""
    file = directory / "commitmeta.json"
    commit = _json_object(file) if file.is_file() else {}
    for distro in DISTROS:
        for source in (commit, meta.model_extra or {}):
            found = source.get(distro.stream_key)
            if isinstance(found, str) and found:
                return found
    return None


def _read(file: Path, model: type[M], *, hint: str) -> M:
    if not file.is_file():
        raise ConfigError("does not exist", file=file, hint=hint)
    try:
        return model.model_validate(_json_object(file))
    except ValidationError as error:
        raise ConfigError(_explain(error), file=file, hint="the file is not what nosa writes") from None


def _json_object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"not JSON: {error.msg} (column {error.colno})", file=file, line=error.lineno
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("not JSON: not even UTF-8 text", file=file) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error
    if not isinstance(content, dict):
        raise ConfigError("not a JSON object", file=file)
    return content


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        problems.append(f"{where}: {item['msg']}" if item["type"] != "missing" else f"{where} is missing")
    return "; ".join(problems)
