"""An OCI registry: the distribution's docker-registry, one process for each."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError
from harness.ignition.additions import GuestFile
from harness.services.addresses import ServiceAddress
from harness.services.authority import Certificate
from harness.services.hostport import HostPort
from harness.services.images import OciImage
from harness.services.listener import Listener
from harness.services.push import push
from harness.util.deadline import Deadline
from harness.util.process import Child, require, spawn

_PROGRAM = "docker-registry"
_START_SECONDS = 20
_ACCESS = re.compile(r'"([A-Z]+) (\S+) HTTP/[0-9.]+" (\d{3}) (\d+)')
PLAIN_PORT = 5000
TLS_PORT = 443


@dataclass(frozen=True)
class RegistryRequest:
    """A request that the registry answered."""

    method: str
    target: str
    status: int


class Registry:
    """A docker-registry process (Debian's package) that keeps its images below `directory`.

    Guests reach it by the name that image references use: `registry.kola.test/os:latest`.
    """

    def __init__(
        self,
        endpoint: ServiceAddress,
        directory: Path,
        log: Path,
        *,
        certificate: Certificate | None,
        authority: str,
    ) -> None:
        self.endpoint = endpoint
        self.listener = Listener(endpoint.name)
        self.tls = certificate is not None
        self.authority_pem = authority
        self._certificate = certificate
        self._directory = directory
        self._log = log
        self._child: Child | None = None
        self._port: HostPort | None = None

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises ConfigError when the program is missing, InfrastructureError when it does not start.
        """
        require(_PROGRAM, package="docker-registry")
        self.storage.mkdir(parents=True, exist_ok=True)
        config = self._directory / "config.yml"
        config.write_text(json.dumps(self._config(), indent=2), encoding="utf-8")  # JSON is YAML
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._child = spawn(
                [_PROGRAM, "serve", str(config)], name=_PROGRAM, stdout=log.fileno(), stderr=log.fileno()
            )
        Deadline(_START_SECONDS).poll(self._answers, step="waiting for docker-registry", interval=0.01)

    def stop(self) -> None:
        """End the process; images stay, and `start` may follow."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def host(self) -> str:
        """The host part of an image's name, before the first slash."""
        return self.endpoint.host if self.tls else f"{self.endpoint.host}:{self.endpoint.port}"

    def image(self, name: str) -> str:
        """Return the reference of an image of this registry: `os:latest` → `registry.kola.test/os:latest`."""
        return f"{self.host}/{name}"

    def push(self, image: OciImage, name: str) -> str:
        """Push `image` under a name such as `os:latest` and return the full reference that guests use.

        Existing layers are not sent again. Raises InfrastructureError.
        """
        push(
            image,
            name,
            self.listener.connect(),
            host=self.endpoint.host,
            authority=self.authority_pem if self.tls else None,
        )
        return self.image(name)

    @property
    def on_host(self) -> str:
        """The address `127.0.0.1:PORT`, for programs of this host such as skopeo; the certificate covers
        it.
        """
        if self._port is None:
            self._port = HostPort(self.listener)
        return f"127.0.0.1:{self._port.number}"

    @property
    def storage(self) -> Path:
        """The directory of blobs and manifests; a test may damage them."""
        return self._directory / "storage"

    def blob(self, digest: str) -> Path:
        """Return the file that holds a blob, by its digest `sha256:…`."""
        algorithm, _, value = digest.partition(":")
        return self.storage / "docker/registry/v2/blobs" / algorithm / value[:2] / value / "data"

    def trust(self) -> list[GuestFile]:
        """Return the files that make podman, skopeo, docker and isulad of a guest accept this registry.

        With TLS they hold our authority for this host (containers-certs.d(5)), else the permission to use
        plain HTTP.
        """
        if self.tls:
            return [
                GuestFile(path=f"/etc/{program}/certs.d/{self.host}/ca.crt", content=self.authority_pem)
                for program in ("containers", "docker", "isulad")
            ]
        entry = f'[[registry]]\nlocation = "{self.host}"\ninsecure = true\n'
        file = f"/etc/containers/registries.conf.d/50-{self.endpoint.name}.conf"
        return [GuestFile(path=file, content=entry)]

    @property
    def requests(self) -> list[RegistryRequest]:
        """The requests answered so far, read from the registry's log."""
        if not self._log.exists():
            return []
        found = _ACCESS.findall(self._log.read_text(encoding="utf-8", errors="replace"))
        return [RegistryRequest(method, target, int(status)) for method, target, status, _ in found]

    def _config(self) -> dict[str, object]:
        http: dict[str, object] = {"net": "unix", "addr": f"@{self.listener.socket}"}
        if self._certificate is not None:
            files = {"certificate": self._certificate.certificate, "key": self._certificate.key}
            for name, text in files.items():
                file = self._directory / f"{name}.pem"
                file.touch(mode=0o600)
                file.write_text(text, encoding="utf-8")
            http["tls"] = {name: str(self._directory / f"{name}.pem") for name in files}
        return {
            "version": 0.1,
            "log": {"level": "info", "formatter": "text", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "delete": {"enabled": True},
                "redirect": {"disable": True},
            },
            "http": http,
        }

    def _answers(self) -> bool:
        assert self._child is not None
        if not self._child.running:
            last = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise InfrastructureError(
                f"docker-registry {self._child.describe_exit()}", cause="no-registry", evidence=last
            )
        return self.listener.listening
