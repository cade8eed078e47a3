"""The installer itself, on this host: `nestos-installer` or `coreos-installer`."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.artifact import Distro
from harness.errors import ConfigError
from harness.util.paths import cache_root
from harness.util.process import run_tool

PROGRAM = "KOLA_INSTALLER"
"""Environment variable that names the program when it is not on the path."""

_SECONDS = 300.0


@dataclass(frozen=True)
class InstallerTool:
    """The installer program, for the media of one distribution."""

    program: Path

    @classmethod
    def find(cls, distro: Distro) -> InstallerTool | None:
        """Return the installer of `distro` on this host, or None if there is none.

        It is the one that KOLA_INSTALLER names, else one on the path, else the one that
        `kola reference build --live` has compiled. The names inside the media differ between distributions,
        so another one's installer does not work.

        Raises ConfigError when KOLA_INSTALLER does not name a program.
        """
        named = os.environ.get(PROGRAM)
        if named:
            if not os.access(named, os.X_OK):
                raise ConfigError(f"{PROGRAM} names {named}, which is no program")
            return cls(Path(named))
        program = distro.installer.program
        found = shutil.which(program)
        if found:
            return cls(Path(found))
        compiled = (cache_root() / "installer").glob(f"*-{platform.machine()}/{program}")
        newest = max(compiled, key=lambda path: path.stat().st_mtime, default=None)
        return cls(newest) if newest is not None else None

    def run(self, *words: str | Path) -> bytes:
        """Run a subcommand and return its standard output.

        Raises InfrastructureError with its standard error.
        """
        arguments: Sequence[str] = [str(word) for word in words]
        return run_tool([str(self.program), *arguments], timeout=_SECONDS)
