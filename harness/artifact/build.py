"""A build directory as `nosa build` leaves it: builds.json, meta.json, and the artifacts they name.

Formats: coreos-assembler's builds.json (schema 1) and meta.json (src/v1.json of that project).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.artifact.artifact import Artifact
from harness.artifact.distro import DISTROS
from harness.artifact.formats import format_of_kind
from harness.errors import ConfigError
from harness.util.jsontext import read_json_object
from harness.util.quote import quote

SCHEMA_MAJOR = "1"
LATEST = "latest"

M = TypeVar("M", bound=BaseModel)


class ImageMeta(BaseModel):
    """An entry of meta.json's `images`."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

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
    """The keys of meta.json that kola reads; other keys are kept unchanged."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    buildid: str
    name: str
    images: dict[str, ImageMeta] = Field(default_factory=dict)
    basearch: str | None = Field(default=None, alias="coreos-assembler.basearch")
    ostree_commit: str | None = Field(default=None, alias="ostree-commit")
    ostree_version: str | None = Field(default=None, alias="ostree-version")


class BuildEntry(BaseModel):
    """A build listed in builds.json."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    id: str
    arches: tuple[str, ...] = ()


class BuildIndex(BaseModel):
    """The content of builds.json: the builds, newest first."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    schema_version: str = Field(alias="schema-version")
    builds: tuple[BuildEntry, ...] = ()


@dataclass(frozen=True)
class Build:
    """A build for one architecture."""

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
        """The artifacts of this build, as keys of meta.json's `images`."""
        return tuple(sorted(self.meta.images))

    def has(self, kind: str) -> bool:
        return kind in self.meta.images

    def artifact(self, kind: str) -> Artifact:
        """Return the artifact with this key of `images` (`qemu`, `live-iso`, `metal4k`).

        Raises ConfigError if absent.
        """
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
    """A directory that contains `builds/`."""

    path: Path

    @staticmethod
    def is_root(path: Path) -> bool:
        return (path / "builds").is_dir()

    @property
    def builds(self) -> Path:
        return self.path / "builds"

    def find(self, build: str = LATEST, arch: str | None = None) -> Build:
        """Return the build called `build`: an id, `latest`, or `-1`, `-2` counted back from `latest`.

        Builds of other architectures are skipped. `arch` defaults to this host's. Raises ConfigError that
        lists the existing builds.
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
            entry = self._counted_back(index, build, arch, origin=self._latest(index, arch).id)
        else:
            entry = self._by_id(index, build)
        return self._load(entry, arch)

    def before(self, build: Build, back: str = "-1") -> Build:
        """Return the build `back` (`-1`, `-2` …) before this one, of the same architecture.

        Raises ConfigError without one.
        """
        index = self._index()
        return self._load(self._counted_back(index, back, build.arch, origin=build.id), build.arch)

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all builds, newest first. Raises ConfigError."""
        return tuple(entry.id for entry in self._index().builds)

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
        """Return the target of `builds/latest` if it has our architecture, else the newest build that has."""
        link = self.builds / LATEST
        pointed = link.resolve().name if link.exists() else None
        ours = [entry for entry in index.builds if arch in entry.arches]
        for entry in ours:
            if entry.id == pointed:
                return entry
        return ours[0] if ours else index.builds[0]

    def _counted_back(self, index: BuildIndex, back: str, arch: str, *, origin: str) -> BuildEntry:
        """Return the entry `back` before that of the build `origin`; only builds of `arch` count."""
        if not re.fullmatch(r"-[1-9][0-9]{0,5}", back):
            raise ConfigError(
                f"no build number: {quote(back)}",
                hint="write -1 for the build before the newest, -2 for the next",
            )
        ours = [entry for entry in index.builds if arch in entry.arches]
        position = next((number for number, entry in enumerate(ours) if entry.id == origin), len(ours))
        if position - int(back) >= len(ours):
            raise ConfigError(
                f"there is no build {back}: {_counted(len(ours) - position - 1)} of {arch} before {origin}",
                file=self.builds / "builds.json",
                hint=f"builds of {arch}: {_some(ours)}; fetch more with nosa buildfetch",
            )
        return ours[position - int(back)]

    def _by_id(self, index: BuildIndex, build: str) -> BuildEntry:
        for entry in index.builds:
            if entry.id == build:
                return entry
        raise ConfigError(
            f"there is no build {build!r}",
            file=self.builds / "builds.json",
            hint=f"builds there: {_some(index.builds)}",
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


def _counted(count: int) -> str:
    return f"{max(count, 0)} build{'' if count == 1 else 's'}"


def _some(entries: Sequence[BuildEntry], limit: int = 8) -> str:
    ids = [entry.id for entry in entries]
    more = f" and {len(ids) - limit} older" if len(ids) > limit else ""
    return ", ".join(ids[:limit]) + more


def _stream(directory: Path, meta: BuildMeta) -> str | None:
    """Return the stream the commit was made for, from commitmeta.json, else from meta.json itself."""
    file = directory / "commitmeta.json"
    commit = read_json_object(file) if file.is_file() else {}
    for distro in DISTROS:
        for source in (commit, meta.model_extra or {}):
            found = source.get(distro.stream_key)
            if isinstance(found, str) and found:
                return found
    return None


def _read(file: Path, model: type[M], *, hint: str) -> M:
    if not file.exists():
        raise ConfigError("does not exist", file=file, hint=hint)
    try:
        return model.model_validate(read_json_object(file))
    except ValidationError as error:
        raise ConfigError(_explain(error), file=file, hint="the file is not what nosa writes") from None


def _explain(error: ValidationError) -> str:
    problems = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        problems.append(f"{where}: {item['msg']}" if item["type"] != "missing" else f"{where} is missing")
    return "; ".join(problems)
