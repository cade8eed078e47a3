"""Unpacks and configures Debian packages into a directory, from this host's own apt sources."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import ConfigError
from harness.reference.build.command import run
from harness.reference.build.recipe import Recipe

# Directory in the tree for the packages that only later versions have.
EXTRA_DEBS = Path("var/cache/kola-extra")
_DRACUT_HOOK = Path("$1/etc/kernel/postinst.d/dracut")
_TARGETS = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CODENAME)"


def debian_sources(index_targets: str, *, suite: str) -> tuple[str, ...]:
    """Return one-line apt sources for `suite` and its updates, from `apt-get indextargets` in our format."""
    lines: dict[str, None] = {}
    for target in index_targets.splitlines():
        uri, release, component, origin, codename = target.split("|")
        if origin == "Debian" and codename.split("-")[0] == suite:
            lines[f"deb {uri} {release} {component}"] = None
    if not lines:
        raise ConfigError(
            f"apt on this host knows no Debian {suite} packages",
            hint=f"the reference OS is made from Debian {suite}: run `apt-get update` with such a source",
        )
    return tuple(lines)


def apt_options(dump: str) -> tuple[str, ...]:
    """Return the `Acquire::` settings of this host (proxies, certificates), for another apt."""
    return tuple(
        line.rstrip(";")
        for line in dump.splitlines()
        if re.match(r'Acquire::[^ ]+ "[^"]+";$', line)
        and "::Languages" not in line
        and "GzipIndexes" not in line
    )


def bootstrap(recipe: Recipe, tree: Path) -> None:
    """Make `tree`, a configured Debian system without Recommends or documentation.

    Temporary files lie beside it, so that they are removed with it in any case.
    """
    temporary = tree.with_name("tmp")
    temporary.mkdir()
    targets = run(["apt-get", "indextargets", "--format", _TARGETS, "Created-By: Packages"])
    sources = debian_sources(targets, suite=recipe.suite)
    options = (
        *apt_options(run(["apt-config", "dump", "Acquire"])),
        'Acquire::Languages "none"',
        "Acquire::PDiffs false",
        'Apt::Install-Recommends "false"',
    )
    extra = sorted({package for version in recipe.versions for package in version.packages})
    if recipe.arch.foreign:
        extra += [grub.package for grub in recipe.arch.grubs]
    hooks = [
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        # Debian's hook would build an initramfs for every kernel; ours is built once, later.
        f'--essential-hook=mkdir -p "{_DRACUT_HOOK.parent}" && ln -s /bin/true "{_DRACUT_HOOK}"',
    ]
    if extra:
        hooks.append(
            f'--customize-hook=mkdir "$1/{EXTRA_DEBS}" && cd "$1/{EXTRA_DEBS}"'
            f' && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download -q {" ".join(extra)}'
        )
    run(
        [
            "mmdebstrap",
            "--variant=essential",
            "--mode=root",
            "--format=directory",
            f"--architectures={recipe.arch.debian}",
            f"--include={','.join(recipe.packages)}",
            *(f"--aptopt={option}" for option in options),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.tree.exclude),
            "--dpkgopt=force-unsafe-io",
            *hooks,
            recipe.suite,
            tree,
            "-",
        ],
        stdin="\n".join(sources) + "\n",
        env={"TMPDIR": str(temporary)},
    )
