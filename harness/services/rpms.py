"""Small rpm packages that a test makes with rpmbuild."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError
from harness.util.process import require, run_tool


@dataclass(frozen=True)
class RpmFile:
    """A file of a package, owned by root."""

    content: str | bytes
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class Rpm:
    """A package to be built. Dependencies are written as in a spec file: `bash >= 5`.

    `files` maps absolute paths to contents; `post` is a shell script that runs after its installation.
    """

    name: str
    version: str = "1.0"
    release: str = "1"
    arch: str = "noarch"
    summary: str = "Made by a test"
    files: Mapping[str, str | bytes | RpmFile] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    post: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}-{self.release}.{self.arch}.rpm"

    def build(self, directory: Path) -> Path:
        """Build the .rpm in `directory` and return its path.

        Raises ConfigError for an impossible package, InfrastructureError.
        """
        require("rpmbuild", package="rpm")
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".rpmbuild-") as top:
            work = Path(top)
            self._lay_out(work / "tree")
            (work / "package.spec").write_text(self._spec(work), encoding="utf-8")
            run_tool(
                [
                    "rpmbuild", "-bb", "--quiet",
                    "--define", f"_topdir {work}",
                    "--define", f"_rpmdir {work}",
                    "--define", f"_build_name_fmt {self.file_name}",
                    "--target", self.arch,
                    str(work / "package.spec"),
                ]
            )  # fmt: skip
            return Path(shutil.move(work / self.file_name, directory / self.file_name))

    def _lay_out(self, tree: Path) -> None:
        tree.mkdir()
        for path, entry in self.files.items():
            if not path.startswith("/") or ".." in Path(path).parts or '"' in path:
                raise ConfigError(f"rpm {self.name}: {path!r} is no absolute path of a file")
            content = entry.content if isinstance(entry, RpmFile) else entry
            target = tree / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def _spec(self, work: Path) -> str:
        relations = [
            *(f"Requires: {word}" for word in self.requires),
            *(f"Conflicts: {word}" for word in self.conflicts),
            *(f"Provides: {word}" for word in self.provides),
        ]
        modes = {
            path: entry.mode if isinstance(entry, RpmFile) else 0o644 for path, entry in self.files.items()
        }
        lines = [
            # The package contains exactly what the test gives: nothing stripped, compressed or guessed.
            "%global debug_package %{nil}",
            "%global __os_install_post %{nil}",
            f"Name: {self.name}",
            f"Version: {self.version}",
            f"Release: {self.release}",
            f"Summary: {self.summary}",
            "License: MulanPSL-2.0",
            f"BuildArch: {self.arch}" if self.arch == "noarch" else "",
            "AutoReqProv: no",
            *relations,
            "%description",
            self.summary,
            "%install",
            "mkdir -p %{buildroot}",
            f"cp -a {work}/tree/. %{{buildroot}}/",
            *(["%post", self.post] if self.post else []),
            "%files",
            *(f'%attr({mode:04o}, root, root) "{path}"' for path, mode in modes.items()),
        ]
        return "\n".join(lines) + "\n"
