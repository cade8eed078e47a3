"""The rpm database of the image: an entry with files for each package of the distribution."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from harness.errors import InfrastructureError
from harness.reference.build.packages import from_dpkg
from harness.reference.build.rpmheader import InstalledFile, InstalledPackage, header

DATABASE = Path("usr/share/rpm")
# Output format of `dpkg-deb --show`.
_SHOWN = ("Package", "Version", "Architecture", "binary:Summary")
DPKG_FORMAT = "".join(f"{name.removeprefix('binary:')}: ${{{name}}}\\n" for name in _SHOWN)
# Every rpm has these dependencies; dpkg's lists name the files below /usr.
_SHELLS = {"bash": ("/bin/bash",), "dash": ("/bin/sh",)}
_MERGED = re.compile(r"^/(bin|sbin|lib|lib32|lib64|libx32)(/|$)")


def _fields(stanza: str) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.MULTILINE))


def installed_packages(tree: Path) -> list[InstalledPackage]:
    """Return the packages that dpkg installed into `tree`, with the files that still exist."""
    info = tree / "var/lib/dpkg/info"
    packages = []
    for stanza in (tree / "var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n"):
        fields = _fields(stanza)
        if not fields.get("Status", "").endswith(" installed"):
            continue
        stem = fields["Package"]
        if not (info / f"{stem}.list").exists():
            stem = f"{stem}:{fields['Architecture']}"
        packages.append(_installed(tree, info / stem, fields))
    return sorted(packages, key=lambda entry: entry.package)


def extracted_package(tree: Path, shown: str) -> InstalledPackage:
    """Return the entry of a package whose files are everything below `tree`; `shown` is in `DPKG_FORMAT`."""
    fields = _fields(shown)
    paths = [f"/{path.relative_to(tree)}" for path in sorted(tree.rglob("*"))]
    return InstalledPackage(
        package=from_dpkg(fields["Package"], fields["Version"], fields["Architecture"]),
        summary=fields.get("Description") or fields.get("Summary") or fields["Package"],
        files=tuple(_files(tree, paths, {})),
    )


def _installed(tree: Path, info: Path, fields: dict[str, str]) -> InstalledPackage:
    sums = {}
    sums_file = info.with_name(f"{info.name}.md5sums")
    if sums_file.exists():
        for line in sums_file.read_text(encoding="utf-8").splitlines():
            md5, _, name = line.partition("  ")
            sums[_canonical(f"/{name}")] = md5
    paths = info.with_name(f"{info.name}.list").read_text(encoding="utf-8").splitlines()
    return InstalledPackage(
        package=from_dpkg(fields["Package"], fields["Version"], fields["Architecture"]),
        summary=fields.get("Description") or fields.get("Summary") or fields["Package"],
        files=tuple(_files(tree, paths, sums)),
        provides=(*_SHELLS.get(fields["Package"], ()), *_libraries(info, fields["Architecture"])),
    )


def _libraries(info: Path, architecture: str) -> list[str]:
    """Return sonames in the notation of rpm's generated dependencies, from the package's shlibs file."""
    shlibs = info.with_name(f"{info.name}.shlibs")
    if not shlibs.exists():
        return []
    suffix = "()(64bit)" if architecture in ("amd64", "arm64") else ""
    names: dict[str, None] = {}
    for line in shlibs.read_text(encoding="utf-8").splitlines():
        words = [word for word in line.split() if not word.endswith(":")]
        if len(words) >= 2:
            names[f"{words[0]}.so.{words[1]}{suffix}"] = None
    return list(names)


def _canonical(path: str) -> str:
    return _MERGED.sub(r"/usr/\1\2", path)


def _files(tree: Path, paths: Iterable[str], sums: dict[str, str]) -> Iterable[InstalledFile]:
    for path in sorted({_canonical(path) for path in paths if path not in ("", "/", "/.")}):
        try:
            status = (tree / path.lstrip("/")).lstat()
        except FileNotFoundError:
            continue  # documentation, and files that the image leaves out
        regular = stat.S_ISREG(status.st_mode)
        link = stat.S_ISLNK(status.st_mode)
        yield InstalledFile(
            path=path,
            mode=status.st_mode,
            size=status.st_size if regular else 0,
            mtime=int(status.st_mtime),
            md5=sums.get(path, "") if regular else "",
            target=str((tree / path.lstrip("/")).readlink()) if link else "",
        )


def write_database(
    root: Path,
    packages: Iterable[InstalledPackage],
    target: Path,
    *,
    timestamp: str,
    base: Path | None = None,
) -> None:
    """Make the directory `target` (below `root`), with the entries of `base` and `packages`.

    rpm itself writes it, the one that is installed below `root`. `timestamp` (RFC 3339) is their time of
    installation. Raises `InfrastructureError` with rpm's message when it fails.
    """
    when = int(datetime.datetime.fromisoformat(timestamp).timestamp())
    target.mkdir(parents=True)
    if base is not None:
        shutil.copyfile(base / "rpmdb.sqlite", target / "rpmdb.sqlite")
    result = subprocess.run(
        ["chroot", root, "/usr/bin/rpmdb", "--dbpath", f"/{target.relative_to(root)}", "--importdb"],
        input=b"".join(header(entry, timestamp=when) for entry in packages),
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/usr/sbin", "HOME": "/"},
    )
    if result.returncode != 0:
        raise InfrastructureError(
            f"rpmdb failed with status {result.returncode} while building the reference OS",
            cause="reference-build-failed",
            evidence=result.stderr.decode(errors="replace"),
        )
    # Readable on a read-only file system: no write-ahead log.
    connection = sqlite3.connect(target / "rpmdb.sqlite")
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    for leftover in target.glob("*"):
        if leftover.name != "rpmdb.sqlite":
            leftover.unlink()
    (target / "rpmdb.sqlite").chmod(0o644)
