"""Live artifacts of the reference OS, added to a copy of a finished build."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from harness import reference
from harness.errors import ConfigError
from harness.reference.build.arch import Arch, arch_named
from harness.reference.build.cache import build_once, cache_root, is_finished
from harness.reference.build.recipe import load_recipe, recipe_hash
from harness.reference.build.requirements import Requirement, missing, require
from harness.reference.build.sources_digest import add_files
from harness.reference.live import builder, installer, iso, osmet

__all__ = ["ensure", "is_cached", "location"]

_HERE = Path(__file__).parent
_REQUIREMENTS = (
    Requirement("squashfs-tools", "mksquashfs"),
    Requirement("cpio", "cpio"),
    *iso.REQUIREMENTS,
    *osmet.REQUIREMENTS,
)


def location(*, output: Path | None = None, program: Path | None = None) -> Path:
    """Return the path of the build root with live artifacts, which need not exist yet."""
    return output.absolute() if output is not None else cache_root() / f"live-{_hash(arch_named(), program)}"


def is_cached(*, output: Path | None = None, program: Path | None = None) -> bool:
    """Return True when `ensure` would return without building."""
    return is_finished(location(output=output, program=program))


def ensure(
    *,
    output: Path | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
    install_missing: bool = False,
    program: Path | None = None,
) -> Path:
    """Return the build root with live artifacts of the newest build, made now if missing.

    `program` is a ready nestos-installer, for hosts without a compiler. Raises `ConfigError` for what the
    host lacks, `InfrastructureError` when a step fails. `progress` gets one line per event. `force` makes the
    live artifacts again, not the build they are added to.
    """
    report = progress or (lambda _line: None)
    arch = arch_named()
    if arch.name != "x86_64":
        raise ConfigError(f"there are no live artifacts for {arch.name} yet", hint="build them on x86_64")
    target = location(output=output, program=program)
    if is_finished(target) and not force:
        return target
    if output is not None and target.exists() and not is_finished(target) and any(target.iterdir()):
        raise ConfigError(f"{target} holds something that is not a build of the reference OS")
    ready = (
        installer.given(program)
        if program is not None
        else installer.Installer(installer.location(arch.name))
    )
    needed = _REQUIREMENTS if ready.is_complete else (*_REQUIREMENTS, *installer.REQUIREMENTS)
    require(missing(needed), install=install_missing)
    plain = reference.ensure(progress=report, install_missing=install_missing)
    started = time.monotonic()
    if not ready.is_complete:
        report(f"building {installer.PROGRAM} {installer.VERSION}, once for this host …")
        ready = installer.built(arch.name, report)
    recipe = load_recipe(arch)
    if build_once(
        target,
        lambda temporary: builder.build(recipe, plain, ready, temporary, progress=report),
        force=force,
        progress=report,
    ):
        report(f"live artifacts built in {time.monotonic() - started:.0f} s")
    return target


def _hash(arch: Arch, program: Path | None) -> str:
    """16 hex digits over the plain build, the installer, and every file of this package."""
    digest = hashlib.sha256(recipe_hash(arch).encode())
    digest.update(program.read_bytes() if program else installer.location(arch.name).name.encode())
    files = (path for path in _HERE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    add_files(digest, files, top=_HERE)
    return digest.hexdigest()[:16]
