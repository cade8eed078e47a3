"""An rpm repository served over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.services.http import HttpServer, Request
from harness.services.rpms import Rpm
from harness.util.process import require, run_tool


class RpmRepository:
    """A directory of packages with the metadata of createrepo_c, and the server that serves it."""

    def __init__(self, directory: Path, server: HttpServer) -> None:
        self.server = server
        self.directory = directory

    @property
    def url(self) -> str:
        """The repository's `baseurl`."""
        return self.server.url()

    @property
    def requests(self) -> list[Request]:
        return self.server.requests

    def add(self, *packages: Rpm | Path) -> list[Path]:
        """Add packages, building specs first, and write the metadata anew."""
        require("createrepo_c", package="createrepo-c")
        self.directory.mkdir(parents=True, exist_ok=True)
        files = [self._include(package) for package in packages]
        run_tool(["createrepo_c", "--quiet", "--no-database", str(self.directory)])
        return files

    def repo_file(self, name: str = "kola", *, enabled: bool = True, url: str | None = None) -> str:
        """Return the text of /etc/yum.repos.d/NAME.repo; `url` replaces the address that guests use."""
        return (
            f"[{name}]\nname={name}\nbaseurl={url or self.url}\n"
            f"enabled={int(enabled)}\ngpgcheck=0\nrepo_gpgcheck=0\nmetadata_expire=1\n"
        )

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def close(self) -> None:
        self.server.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _include(self, package: Rpm | Path) -> Path:
        if isinstance(package, Rpm):
            return package.build(self.directory)
        return Path(shutil.copy(package, self.directory))
