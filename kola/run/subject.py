"""The subject of a run: the build or image under test, independent of the selection of tests."""

from __future__ import annotations

import platform as host
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.artifact import Artifact, Build, BuildRoot, Distro, distro_named, distro_of_build
from harness.artifact.distro import REFERENCE, REFERENCE_STREAM
from harness.errors import ConfigError
from harness.util.language import tr
from kola.run.options import SubjectOptions

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A disk image and its build; an image alone has no build `directory`.

    With a `parent` (a build's id or an image's name), machines start from there and are upgraded to
    `build_id`.
    """

    arch: str
    image: Path
    image_format: str
    image_identity: str
    distro: Distro
    build_id: str
    stream: str | None = None
    directory: Path | None = None
    parent: str = ""


def architecture(options: SubjectOptions) -> str:
    """Return the architecture of the machines: as typed, or this host's."""
    return options.arch or host.machine()


def find_subject(options: SubjectOptions, *, upgrading: bool, tell: Tell, dry: bool = False) -> Subject:
    """Find the build or image under test, and unpack it if compressed. Raises ConfigError.

    Without a build directory and an image, the subject is the reference OS, built now if missing. With `dry`
    nothing is built, and a missing reference OS is a subject without an image.
    """
    arch = architecture(options)
    if dry and options.of_the_reference and not _reference_is_built(arch):
        return _unbuilt_reference(arch)
    if options.qemu_iso is not None and options.qemu_image is None and options.directory is None:
        return _of_artifact(Artifact.from_file(options.qemu_iso, kind="live-iso"), options, arch, tell)
    if options.qemu_image is not None and not upgrading:
        return _of_artifact(_bare(options), options, arch, tell)
    builds = _builds(options, arch, tell)
    build = builds.find(options.build, arch)
    artifact, parent = _start(options, builds, build) if upgrading else (build.artifact("qemu"), "")
    if parent:
        tell(tr("upgrading from {old} to {new}", old=parent, new=build.id))
    return replace(
        _of_artifact(artifact, options, arch, tell),
        distro=_distro(options.distro, build),
        build_id=build.id,
        stream=build.stream,
        directory=build.directory,
        parent=parent,
    )


def _builds(options: SubjectOptions, arch: str, tell: Tell) -> BuildRoot:
    directory = options.directory
    if directory is not None:
        return BuildRoot(directory)
    from harness.reference import ensure

    builds = BuildRoot(ensure(progress=tell, arch=arch))
    tell(tr("no build directory here: testing the reference OS in {path}", path=builds.path))
    return builds


def _reference_is_built(arch: str) -> bool:
    from harness.reference import is_cached

    return is_cached(arch=arch)


def _unbuilt_reference(arch: str) -> Subject:
    return Subject(
        arch=arch,
        image=Path("not-built.qcow2"),
        image_format="qcow2",
        image_identity="",
        distro=REFERENCE,
        build_id="not-built",
        stream=REFERENCE_STREAM,
    )


def _start(options: SubjectOptions, builds: BuildRoot, build: Build) -> tuple[Artifact, str]:
    """Return the image an upgrade to `build` starts from, and its name."""
    if options.qemu_image is not None:
        return _bare(options), options.qemu_image.name
    if options.parent and not options.parent.startswith("-"):
        older = builds.find(options.parent, build.arch)
        return older.artifact("qemu"), older.id
    try:
        older = builds.before(build, options.parent or "-1")
    except ConfigError:
        kept = _kept_image(options.qemu_image_dir, build)
        if options.parent or kept is None:
            raise
        return Artifact.from_file(kept), kept.name
    return older.artifact("qemu"), older.id


def _kept_image(directory: Path | None, build: Build) -> Path | None:
    """Return the newest image of another build in `directory`; builds call them NAME-ID-qemu.ARCH.qcow2."""
    if directory is None:
        return None
    found = [
        file
        for file in directory.glob(f"{build.name}-*-qemu.{build.arch}.qcow2*")
        if file.is_file() and not file.name.startswith(f"{build.name}-{build.id}-")
    ]
    return max(found, key=lambda file: file.stat().st_mtime, default=None)


def _bare(options: SubjectOptions) -> Artifact:
    assert options.qemu_image is not None
    return Artifact.from_file(options.qemu_image, linked=options.qemu_image_backing)


def _of_artifact(artifact: Artifact, options: SubjectOptions, arch: str, tell: Tell) -> Subject:
    artifact = replace(artifact, linked=options.qemu_image_backing)
    path = artifact.ready(notice=tell)
    return Subject(
        arch=arch,
        image=path,
        image_format=str(artifact.format),
        image_identity=artifact.identity(),
        distro=distro_named(options.distro or "nestos"),
        build_id=path.name,
    )


def _distro(typed: str | None, build: Build) -> Distro:
    """Return the build's distribution, or the typed one unless the build is more precise; by default
    NestOS.
    """
    built = distro_of_build(build.name, build.stream) if build.name else None
    if built is not None and typed in (None, built.family):
        return built
    return distro_named(typed or "nestos")
