"""The services of one test: started before its machines, reached by all of them, gone with it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.errors import ConfigError
from harness.ignition import dataurl
from harness.machine.spec import GuestForward, Reachable
from harness.services.addresses import Kind, Place, all_addresses, all_names, place
from harness.services.authority import Authority, Certificate
from harness.services.content import Content
from harness.services.door import Door
from harness.services.http import HttpServer
from harness.services.log import ServiceLog
from harness.services.registry import PLAIN_PORT, TLS_PORT, Registry
from harness.services.repository import RpmRepository
from harness.services.rpms import Rpm
from harness.services.tftp import TftpDirectory

_NOTHING: Content = MappingProxyType({})


@cache
def authority() -> Authority:
    """The one of this process, made when the first server wants a certificate."""
    return Authority()


@cache
def _certificate() -> Certificate:
    """Good for every name and address a service can have."""
    return authority().issue(names=["localhost", *all_names()], addresses=["127.0.0.1", *all_addresses()])


class Services:
    """Starts services and keeps them until `close`. Logs and what they store are below `directory`.

    Machines made before a service was started cannot reach it: `reachable` is asked when one is made.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._owned = ExitStack()
        self._places: list[tuple[Place, Door]] = []
        self._counts: dict[Kind, int] = {}
        self._tftp: TftpDirectory | None = None
        self._asked = False

    # What tests call

    def http(self, content: Content = _NOTHING) -> HttpServer:
        """A file server at http.kola.test, 10.0.2.100 (the next one: http2, 10.0.2.101)."""
        return self._serve(Kind.HTTP, content, port=80)

    def https(self, content: Content = _NOTHING) -> HttpServer:
        """The same with TLS, at https.kola.test, 10.0.2.110; its certificate is our `authority`'s."""
        return self._serve(Kind.HTTPS, content, port=443, tls=_tls_context())

    def tftp(self, content: Mapping[str, str | bytes]) -> TftpDirectory:
        """Files at tftp://10.0.2.2/; a test has one such directory."""
        self._before_machines()
        if self._tftp is not None:
            raise ConfigError("a test has one TFTP directory", hint="give all files to one call")
        self._tftp = TftpDirectory(content, self.directory / "tftp", self._log("tftp"))
        self._owned.callback(self._tftp.close)
        return self._tftp

    def registry(self, *, tls: bool = True) -> Registry:
        """An OCI registry at registry.kola.test, 10.0.2.120: port 443 with TLS, 5000 without."""
        where = self._place(Kind.REGISTRY, TLS_PORT if tls else PLAIN_PORT)
        made = Registry(
            where,
            self.directory / where.name,
            self.directory / f"{where.name}.log",
            certificate=_certificate() if tls else None,
            authority=authority().pem,
        )
        self._owned.callback(made.close)
        made.start()
        self._places.append((where, made.door))
        return made

    def rpm_repository(self, packages: Iterable[Rpm | Path] = ()) -> RpmRepository:
        """A repository of these packages at rpm.kola.test, 10.0.2.130, over HTTP."""
        where = self._place(Kind.RPM, 80)
        directory = self.directory / where.name
        server = self._start_http(where, directory, None)
        made = RpmRepository(directory, server)
        self._owned.callback(made.close)
        made.add(*packages)
        return made

    @property
    def authority_pem(self) -> str:
        """The certificate of our authority, for whoever is to trust it."""
        return authority().pem

    @cached_property
    def trust(self) -> dict[str, Any]:
        """An Ignition config by which Ignition trusts our authority while it fetches."""
        source, compression = dataurl.encode(self.authority_pem.encode())
        entry = {"source": source, "compression": compression}
        tls = {"certificateAuthorities": [entry]}
        return {"ignition": {"version": "3.1.0", "security": {"tls": tls}}}

    @property
    def logs(self) -> list[Path]:
        """The services' logs, of those that had something to tell."""
        return sorted(self.directory.glob("*.log"))

    # What machines are told

    def reachable(self) -> Reachable:
        """What a machine made now can reach."""
        self._asked = True
        return Reachable(
            forwards=tuple(
                GuestForward(where.address, where.port, door.socket) for where, door in self._places
            ),
            hosts=tuple((where.address, where.host) for where, _ in self._places),
            tftp=self._tftp.directory if self._tftp else None,
        )

    def close(self) -> None:
        """End all of them; their logs stay."""
        self._owned.close()

    def _serve(
        self, kind: Kind, content: Content, *, port: int, tls: ssl.SSLContext | None = None
    ) -> HttpServer:
        return self._start_http(self._place(kind, port), content, tls)

    def _start_http(self, where: Place, content: Content, tls: ssl.SSLContext | None) -> HttpServer:
        made = HttpServer(content, where, self._log(where.name), tls=tls)
        made.start()
        self._owned.callback(made.close)
        self._places.append((where, made.door))
        return made

    def _place(self, kind: Kind, port: int) -> Place:
        self._before_machines()
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return place(kind, self._counts[kind], port)

    def _log(self, name: str) -> ServiceLog:
        return ServiceLog(self.directory / f"{name}.log")

    def _before_machines(self) -> None:
        if self._asked:
            raise ConfigError(
                "a service was started after the machine that is to reach it",
                hint="start services first: take `new_machine` instead of `machine`, and call it afterwards",
            )


@cache
def _tls_context() -> ssl.SSLContext:
    made = _certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("certificate")  # ssl reads files only
    try:
        os.write(descriptor, (made.certificate + made.key).encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
