"""The reference OS: a small, real ostree + Ignition system made from Debian packages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from harness.errors import ConfigError
from harness.reference.build.arch import arch_named
from harness.reference.build.builder import build
from harness.reference.build.cache import build_once, cache_root, is_finished
from harness.reference.build.recipe import load_recipe, recipe_hash
from harness.reference.build.requirements import Requirement, missing, require, requirements

__all__ = ["Requirement", "ensure", "is_cached", "location", "missing", "requirements"]


def location(*, output: Path | None = None, arch: str | None = None) -> Path:
    """Return the path of the build root of this recipe, which need not exist yet."""
    return output.absolute() if output is not None else cache_root() / recipe_hash(arch_named(arch))


def is_cached(*, output: Path | None = None, arch: str | None = None) -> bool:
    """Return True when `ensure` would return without building."""
    return is_finished(location(output=output, arch=arch))


def ensure(
    *,
    output: Path | None = None,
    force: bool = False,
    progress: Callable[[str], None] | None = None,
    install_missing: bool = False,
    arch: str | None = None,
) -> Path:
    """Return the build root (the directory with `builds/`) of the reference OS, built now if missing.

    `output` is a directory to use instead of the cache. Raises `ConfigError` for things the host lacks,
    `InfrastructureError` when a step fails. `progress` gets one line per event.
    """
    report = progress or (lambda _line: None)
    target = location(output=output, arch=arch)
    if is_finished(target) and not force:
        return target
    if output is not None and target.exists() and not is_finished(target) and any(target.iterdir()):
        raise ConfigError(f"{target} holds something that is not a build of the reference OS")
    chosen = arch_named(arch)
    require(missing(requirements(chosen)), install=install_missing)
    recipe = load_recipe(chosen)
    started = time.monotonic()
    if build_once(
        target, lambda temporary: build(recipe, temporary, progress=report), force=force, progress=report
    ):
        report(f"reference OS built in {time.monotonic() - started:.0f} s")
    return target
