"""coreos-installer under NestOS's names, renamed as NestOS did for nestos-installer.

Both spellings of every pair have the same length, so nothing else in the sources moves. The library keeps its
name, which has none of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import InfrastructureError

SPELLINGS = (("coreos", "nestos"), ("COREOS", "NESTOS"), ("CoreOS", "NestOS"))
_DIRECTORIES = ("src", "systemd", "scripts")
_STREAMS = "https://builds.{}.fedoraproject.org/streams/"
_PACKAGE = 'name = "coreos-installer"'


def renamed(text: str) -> str:
    """`text` with NestOS's spellings; the address of the stream metadata stays, for there is no other."""
    for old, new in SPELLINGS:
        text = text.replace(old, new)
    return text.replace(_STREAMS.format("nestos"), _STREAMS.format("coreos"))


def rename_crate(crate: Path) -> int:
    """Rename the unpacked `crate` in place; return how many lines changed.

    Raises InfrastructureError when it is not the crate this was written for.
    """
    changed = 0
    for directory in _DIRECTORIES:
        for path in sorted((crate / directory).rglob("*")):
            if not path.is_file():
                continue
            # Byte for byte: a test sample need not be UTF-8.
            before = path.read_text(encoding="latin-1")
            after = renamed(before)
            if after != before:
                pairs = zip(before.split("\n"), after.split("\n"), strict=True)
                changed += sum(old != new for old, new in pairs)
                path.write_text(after, encoding="latin-1")
            path.rename(path.with_name(renamed(path.name)))
    manifest, lock = crate / "Cargo.toml", crate / "Cargo.lock"
    # The package and its program; the lock file knows the package.
    names = [path.read_text(encoding="utf-8").count(_PACKAGE) for path in (manifest, lock)]
    if not changed or names != [2, 1]:
        raise InfrastructureError(
            "the installer's crate is not what was expected: its names are not where they were",
            cause="reference-build-failed",
            evidence=str(crate),
        )
    for path in (manifest, lock):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(_PACKAGE, renamed(_PACKAGE)), encoding="utf-8")
    return changed


def minimum_rust(manifest: str) -> str:
    """The `rust-version` of a Cargo.toml, or an empty string."""
    found = re.search(r'^rust-version = "([^"]+)"', manifest, re.MULTILINE)
    return found[1] if found else ""
