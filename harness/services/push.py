"""Push of an image to a registry (OCI distribution specification 1.0)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from types import MappingProxyType

from harness.errors import InfrastructureError
from harness.services.images import OciImage

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def push(image: OciImage, name: str, connected: socket.socket, *, host: str, authority: str | None) -> None:
    """Store `image` as `name` (`os:latest`) over a socket that leads to `host`; close the socket afterwards.

    Existing layers are not sent. `authority`, a PEM certificate, switches TLS on. Raises InfrastructureError.
    """
    repository, _, tag = name.partition(":")
    connection = HTTPConnection(host)
    connection.sock = connected
    try:
        if authority is not None:
            context = ssl.create_default_context(cadata=authority)
            connection.sock = context.wrap_socket(connected, server_hostname=host)
        for blob in image.blobs:
            if _ask(connection, "HEAD", f"/v2/{repository}/blobs/{blob.digest}").status == 200:
                continue
            begun = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", expect=202)
            where = begun.headers["Location"]
            _ask(
                connection,
                "PUT",
                f"{where}{'&' if '?' in where else '?'}digest={blob.digest}",
                blob.chunks(),
                {"Content-Length": str(blob.size), "Content-Type": "application/octet-stream"},
                expect=201,
            )
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        target = f"/v2/{repository}/manifests/{tag or 'latest'}"
        _ask(connection, "PUT", target, iter([image.manifest]), kind, expect=201)
    finally:
        connection.close()


def _ask(
    connection: HTTPConnection,
    method: str,
    target: str,
    body: Iterator[bytes] | None = None,
    headers: Mapping[str, str] = _NO_HEADERS,
    *,
    expect: int | None = None,
) -> HTTPResponse:
    connection.request(method, target, body=body, headers=dict(headers))
    answer = connection.getresponse()
    said = answer.read()
    if expect is not None and answer.status != expect:
        raise InfrastructureError(
            f"the registry answered {answer.status} to {method} {target}",
            cause="registry-refused",
            evidence=said.decode(errors="replace")[-2000:],
        )
    return answer
