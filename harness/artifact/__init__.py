"""The files of a build: `BuildRoot`, `Build`, `Artifact`, and the `Distro` profiles."""

from harness.artifact.artifact import Artifact
from harness.artifact.build import Build, BuildRoot
from harness.artifact.cache import ArtifactCache
from harness.artifact.distro import (
    DISTROS,
    FCOS,
    NESTOS,
    REFERENCE,
    Distro,
    console_device,
    distro_named,
    distro_of_build,
)
from harness.artifact.formats import Format

__all__ = [
    "DISTROS",
    "FCOS",
    "NESTOS",
    "REFERENCE",
    "Artifact",
    "ArtifactCache",
    "Build",
    "BuildRoot",
    "Distro",
    "Format",
    "console_device",
    "distro_named",
    "distro_of_build",
]
