"""Images built from a Containerfile on this host, with the distribution's buildah."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType

from harness.errors import InfrastructureError
from harness.services.registry import Registry
from harness.util.process import require, run_tool

_NO_MOUNTS: Mapping[Path, str] = MappingProxyType({})
_PULL_SECONDS = 300.0


class Buildah:
    """buildah with its own storage in `directory`, which is removed at the end of the `with` block.

    Images come from `registry` and not from an archive: a later push there sends only the new layers and
    leaves the others unchanged.
    """

    def __init__(self, directory: Path, registry: Registry) -> None:
        require("buildah", package="buildah")
        if os.geteuid() != 0:
            require("newuidmap", package="uidmap")
        self._directory = directory
        self._registry = registry
        self._certificates = directory / "certificates"
        self._certificates.mkdir(parents=True)
        (self._certificates / "ca.crt").write_text(registry.authority_pem, encoding="utf-8")

    def __enter__(self) -> Buildah:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def image(self, name: str) -> str:
        """Return the name of the registry's image `os:stable` on this host, as FROM needs it."""
        return f"{self._registry.on_host}/{name}"

    def pull(self, name: str) -> None:
        """Pull a base image. Raises InfrastructureError."""
        run_tool(self._argv("pull", "--quiet", *self._trust, self.image(name)), timeout=_PULL_SECONDS)

    def build(
        self,
        context: Path,
        name: str,
        *,
        mounts: Mapping[Path, str] = _NO_MOUNTS,
        timeout: float = 300.0,
    ) -> subprocess.CompletedProcess[str]:
        """Build `context`/Containerfile from images that were pulled, and name the result `name`.

        RUN sees the directories `mounts` of this host, read-only, at the paths in the image. Returns exit
        status and output: the test judges a step that fails. Raises InfrastructureError when it takes longer
        than `timeout` seconds.
        """
        volumes = [f"--volume={source}:{target}:ro" for source, target in mounts.items()]
        argv = self._argv(
            "build",
            "--pull-never",
            # A container runtime needs cgroups and namespaces that not every host grants.
            "--isolation=chroot",
            *volumes,
            f"--tag={self.image(name)}",
            str(context),
        )
        environment = {**os.environ, "TMPDIR": str(self._directory)}
        try:
            return subprocess.run(
                argv,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(
                f"buildah did not finish within {timeout:.0f} s", cause="host-tool-timeout"
            ) from error

    def push(self, name: str) -> str:
        """Push a built image to the registry and return the full reference that guests use."""
        run_tool(self._argv("push", "--quiet", *self._trust, self.image(name)), timeout=_PULL_SECONDS)
        return self._registry.image(name)

    @property
    def _trust(self) -> tuple[str, ...]:
        return (f"--cert-dir={self._certificates}",) if self._registry.tls else ("--tls-verify=false",)

    def _argv(self, command: str, *words: str) -> list[str]:
        # Its storage stays mounted on itself: in a mount namespace, the mount ends with the command.
        own_mounts = ["unshare", "--mount"] if os.geteuid() == 0 else []
        places = [f"--root={self._directory / 'storage'}", f"--runroot={self._directory / 'run'}"]
        return [*own_mounts, "buildah", *places, command, *words]
