"""Requests as a guest's arrive: through the listener, past the network."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from harness.services.listener import Listener


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def connection(
    listener: Listener, tls: ssl.SSLContext | None = None, name: str = ""
) -> http.client.HTTPConnection:
    """A connection to be used for several requests; `name` is whom TLS is to find there."""
    made = http.client.HTTPConnection("guest")
    plain = listener.connect()
    plain.settimeout(10)
    made.sock = tls.wrap_socket(plain, server_hostname=name) if tls else plain
    return made


def ask(
    line: http.client.HTTPConnection, path: str, *, method: str = "GET", headers: Mapping[str, str] = {}
) -> Answer:
    line.request(method, path, headers=dict(headers))
    answer = line.getresponse()
    return Answer(answer.status, dict(answer.headers), answer.read())


def fetch(listener: Listener, path: str, **headers: str) -> Answer:
    """Send one GET; keywords are headers with underscores for hyphens."""
    line = connection(listener)
    try:
        return ask(line, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    finally:
        line.close()
