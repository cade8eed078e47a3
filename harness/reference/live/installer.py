"""nestos-installer: the published crate of coreos-installer, renamed and built once, kept in the cache."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.reference.build.cache import cache_root, locked
from harness.reference.build.command import run
from harness.reference.build.requirements import Requirement
from harness.reference.live import renaming

VERSION = "0.20.0"
# Counts changes of this recipe: a cached result of another number is not taken.
_RECIPE = 1
_CRATE = "coreos-installer"
PROGRAM = "nestos-installer"
# Verifies a root file system that is fetched by URL.
_HELPER = "rdcore"
_DIRECTORIES = ("systemd", "scripts")

REQUIREMENTS = (
    Requirement("cargo-web", "cargo"),
    Requirement("rustc-web", "rustc"),
    Requirement("gcc", "cc"),
    Requirement("pkg-config", "pkg-config"),
    Requirement("libssl-dev", "/usr/include/openssl/ssl.h"),
    Requirement("liblzma-dev", "/usr/include/lzma.h"),
    # Without its .pc file the crate that binds it does not build.
    Requirement("libzstd-dev", "/usr/include/zstd.h"),
)


@dataclass(frozen=True)
class Installer:
    """A directory with `nestos-installer`, `rdcore`, and the crate's `systemd` and `scripts`."""

    directory: Path

    @property
    def program(self) -> Path:
        return self.directory / PROGRAM

    @property
    def helper(self) -> Path:
        return self.directory / _HELPER

    @property
    def is_complete(self) -> bool:
        wanted = (PROGRAM, _HELPER, *_DIRECTORIES)
        return all((self.directory / name).exists() for name in wanted)


def location(arch: str) -> Path:
    """Return the directory of a build for `arch`, of this version and recipe."""
    return cache_root().parent / "installer" / f"{VERSION}-{_RECIPE}-{arch}"


def given(program: Path) -> Installer:
    """The ready binary of a user, beside which lies what a build leaves beside it.

    Raises ConfigError when something is missing.
    """
    installer = Installer(program.absolute().parent)
    if program.name != PROGRAM or not program.is_file() or not os.access(program, os.X_OK):
        raise ConfigError(f"is no program called {PROGRAM}", file=program, hint="give the built binary")
    if not installer.is_complete:
        raise ConfigError(
            f"{_HELPER} and the directories {' and '.join(_DIRECTORIES)} of the crate are not beside it",
            file=program,
            hint=f"copy the whole directory that another host has as {location('<arch>')}",
        )
    return installer


def built(arch: str, progress: Callable[[str], None]) -> Installer:
    """The installer from the cache, built now unless it is there. Raises ConfigError without a registry."""
    installer = Installer(location(arch))
    if installer.is_complete:
        return installer
    target = installer.directory
    with locked(target.with_name(f".{target.name}.lock"), progress):
        if not installer.is_complete:
            scratch = target.with_name(f".building-{target.name}")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            try:
                _build(scratch).rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return installer


def _build(scratch: Path) -> Path:
    crate = scratch / "crate"
    shutil.copytree(_downloaded(scratch / "download"), crate)
    renaming.rename_crate(crate)
    environment = {
        "CARGO_TARGET_DIR": str(scratch / "target"),
        # The crate's profile asks for debug information: 120 MB that nobody reads.
        "CARGO_PROFILE_RELEASE_DEBUG": "0",
        "CARGO_PROFILE_RELEASE_STRIP": "true",
    }
    try:
        run(
            ["cargo", "build", "--release", "--locked", "--features", "rdcore"],
            cwd=crate,
            env=environment,
            for_the_host=True,
        )
    except InfrastructureError as error:
        needed = renaming.minimum_rust((crate / "Cargo.toml").read_text(encoding="utf-8"))
        raise InfrastructureError(
            f"{PROGRAM} {VERSION} did not compile",
            cause="reference-build-failed",
            evidence=f"{error.evidence}\n"
            f"It needs Rust {needed} or newer. --installer FILE takes a ready binary instead.",
        ) from error
    result = scratch / "result"
    result.mkdir()
    for name in (PROGRAM, _HELPER):
        shutil.copy2(scratch / "target/release" / name, result / name)
    for name in _DIRECTORIES:
        shutil.copytree(crate / name, result / name)
    return result


def _downloaded(project: Path) -> Path:
    """The unpacked crate as cargo keeps it, fetched for a project that depends on it."""
    (project / "src").mkdir(parents=True)
    (project / "src/lib.rs").touch()
    (project / "Cargo.toml").write_text(
        f'[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n'
        f'[dependencies]\n{_CRATE} = "={VERSION}"\n',
        encoding="utf-8",
    )
    try:
        run(["cargo", "fetch"], cwd=project, for_the_host=True)
        shown = run(["cargo", "metadata", "--format-version", "1"], cwd=project, for_the_host=True)
    except InfrastructureError as error:
        raise ConfigError(
            f"the crate {_CRATE} {VERSION} cannot be fetched: cargo reaches no registry",
            hint="configure a registry or mirror for cargo, or give a ready binary with --installer FILE\n"
            + (error.evidence or "")[-600:],
        ) from error
    (manifest,) = (
        package["manifest_path"] for package in json.loads(shown)["packages"] if package["name"] == _CRATE
    )
    return Path(manifest).parent
