"""The services of one test.

They start before its machines, all its machines reach them, and they end with it.
"""

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
from harness.platform.base import USER_NETWORK, ServiceNetwork
from harness.services.addresses import Kind, ServiceAddress, all_addresses, all_names, service_address
from harness.services.authority import Authority, Certificate
from harness.services.content import Content
from harness.services.dns import NameServer
from harness.services.http import HttpServer
from harness.services.listener import Listener
from harness.services.log import ServiceLog
from harness.services.registry import PLAIN_PORT, TLS_PORT, Registry
from harness.services.repository import RpmRepository
from harness.services.rpms import Rpm
from harness.services.tftp import TftpDirectory

_NOTHING: Content = MappingProxyType({})


@cache
def authority() -> Authority:
    """Return the certificate authority of this process, made for the first server that needs a
    certificate.
    """
    return Authority()


@cache
def _certificate(network: ServiceNetwork) -> Certificate:
    """Return a certificate that is valid for every name and address of a service."""
    addresses = ["127.0.0.1", *all_addresses(network)]
    return authority().issue(names=["localhost", *all_names()], addresses=addresses)


class Services:
    """The starter and owner of services until `close`. Their logs and data are below `directory`.

    Machines made before a service was started cannot reach it: `reachable` is read when a machine is made.
    """

    def __init__(self, directory: Path, network: ServiceNetwork = USER_NETWORK) -> None:
        """Take addresses from `network`; those named below are QEMU's."""
        self.directory = directory
        self._network = network
        self._owned = ExitStack()
        self._places: list[tuple[ServiceAddress, Listener]] = []
        self._counts: dict[Kind, int] = {}
        self._tftp: TftpDirectory | None = None
        self._asked = False

    # Called by tests

    def http(self, content: Content = _NOTHING) -> HttpServer:
        """Start a file server at http.kola.test, 10.0.2.100 (the next one: http2, 10.0.2.101)."""
        return self._serve(Kind.HTTP, content, port=80)

    def https(self, content: Content = _NOTHING) -> HttpServer:
        """Start a file server with TLS at https.kola.test, 10.0.2.110, with a certificate of our
        `authority`.
        """
        return self._serve(Kind.HTTPS, content, port=443, tls=_tls_context(self._network))

    def tftp(self, content: Mapping[str, str | bytes]) -> TftpDirectory:
        """Serve files at tftp://10.0.2.2/. A test has one such directory."""
        self._before_machines()
        if self._tftp is not None:
            raise ConfigError("a test has one TFTP directory", hint="give all files to one call")
        self._tftp = TftpDirectory(
            content, self.directory / "tftp", self._log("tftp"), address=self._network.tftp_address
        )
        self._owned.callback(self._tftp.close)
        return self._tftp

    def registry(self, *, tls: bool = True) -> Registry:
        """Start an OCI registry at registry.kola.test, 10.0.2.120: port 443 with TLS, 5000 without."""
        where = self._place(Kind.REGISTRY, TLS_PORT if tls else PLAIN_PORT)
        made = Registry(
            where,
            self.directory / where.name,
            self.directory / f"{where.name}.log",
            certificate=_certificate(self._network) if tls else None,
            authority=authority().pem,
        )
        self._owned.callback(made.close)
        made.start()
        self._places.append((where, made.listener))
        return made

    def rpm_repository(self, packages: Iterable[Rpm | Path] = ()) -> RpmRepository:
        """Start a repository of these packages at rpm.kola.test, 10.0.2.130, over HTTP."""
        where = self._place(Kind.RPM, 80)
        directory = self.directory / where.name
        server = self._start_http(where, directory, None)
        made = RpmRepository(directory, server)
        self._owned.callback(made.close)
        made.add(*packages)
        return made

    def dns(self, names: Mapping[str, str]) -> NameServer:
        """A name server at 10.0.2.140, asked over TCP, that knows these names' IPv4 addresses."""
        where = self._place(Kind.DNS, 53)
        made = NameServer(names, where, self._log(where.name))
        made.start()
        self._owned.callback(made.close)
        self._places.append((where, made.listener))
        return made

    @property
    def authority_pem(self) -> str:
        """The certificate of our authority in PEM."""
        return authority().pem

    @cached_property
    def trust(self) -> dict[str, Any]:
        """Return an Ignition config that makes Ignition trust our authority while it fetches."""
        source, compression = dataurl.encode(self.authority_pem.encode())
        entry = {"source": source, "compression": compression}
        tls = {"certificateAuthorities": [entry]}
        return {"ignition": {"version": "3.1.0", "security": {"tls": tls}}}

    @property
    def logs(self) -> list[Path]:
        """Return the logs of the services that wrote one."""
        return sorted(self.directory.glob("*.log"))

    # Used when machines are made

    def reachable(self) -> Reachable:
        """Return the services that a machine made now can reach."""
        self._asked = True
        return Reachable(
            forwards=tuple(
                GuestForward(where.address, where.port, listener.socket) for where, listener in self._places
            ),
            hosts=tuple((where.address, where.host) for where, _ in self._places),
            tftp=self._tftp.directory if self._tftp else None,
        )

    def close(self) -> None:
        """End all services; their logs stay."""
        self._owned.close()

    def _serve(
        self, kind: Kind, content: Content, *, port: int, tls: ssl.SSLContext | None = None
    ) -> HttpServer:
        return self._start_http(self._place(kind, port), content, tls)

    def _start_http(self, where: ServiceAddress, content: Content, tls: ssl.SSLContext | None) -> HttpServer:
        made = HttpServer(content, where, self._log(where.name), tls=tls)
        made.start()
        self._owned.callback(made.close)
        self._places.append((where, made.listener))
        return made

    def _place(self, kind: Kind, port: int) -> ServiceAddress:
        self._before_machines()
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return service_address(kind, self._counts[kind], port, self._network)

    def _log(self, name: str) -> ServiceLog:
        return ServiceLog(self.directory / f"{name}.log")

    def _before_machines(self) -> None:
        if self._asked:
            raise ConfigError(
                "a service was started after the machine that is to reach it",
                hint="start services first: take `new_machine` instead of `machine`, and call it afterwards",
            )


@cache
def _tls_context(network: ServiceNetwork) -> ssl.SSLContext:
    made = _certificate(network)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    descriptor = os.memfd_create("certificate")  # ssl reads files only
    try:
        os.write(descriptor, (made.certificate + made.key).encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context
