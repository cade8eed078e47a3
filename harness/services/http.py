"""An HTTP(S) file server for guests, in threads of this process."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from harness.services.addresses import ServiceAddress
from harness.services.content import Body, Content, Entry, Library, Reply, byte_range
from harness.services.listener import Listener
from harness.services.log import ServiceLog

_PIECE = 256 * 1024
_IDLE_SECONDS = 60


@dataclass(frozen=True)
class Request:
    """A request and its status. `target` is path and query; names in `headers` are lower-case."""

    method: str
    target: str
    status: int
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class HttpServer:
    """A server of a directory or of a mapping from paths to contents: GET and HEAD, ranges, entity tags.

    Guests reach it at `endpoint`; on this host it listens at `listener`.
    """

    def __init__(
        self,
        content: Content,
        endpoint: ServiceAddress,
        log: ServiceLog,
        *,
        tls: ssl.SSLContext | None = None,
    ):
        self.endpoint = endpoint
        self.listener = Listener(endpoint.name)
        self._library = Library(content)
        self._tls = tls
        self._log = log
        self._requests: list[Request] = []
        self._guard = threading.Lock()

    def start(self) -> None:
        self.listener.open(self._serve)

    def stop(self) -> None:
        """Stop serving: new connections of guests are closed at once. `start` may follow."""
        self.listener.close()

    close = stop

    def url(self, path: str = "", *, by_name: bool = False) -> str:
        """Return the URL of `path`: by address, as Ignition needs it, or by the name that a booted guest
        knows.
        """
        scheme = "https" if self._tls else "http"
        host = self.endpoint.host if by_name else self.endpoint.address
        return f"{scheme}://{host}/{path.lstrip('/')}"

    def put(self, path: str, entry: Entry) -> str:
        """Serve `entry` at `path` from now on; returns its URL."""
        self._library.put(path, entry)
        return self.url(path)

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order of their answers."""
        with self._guard:
            return list(self._requests)

    def requests_for(self, path: str) -> list[Request]:
        wanted = "/" + path.lstrip("/")
        return [request for request in self.requests if request.path == wanted]

    def _record(self, request: Request) -> None:
        with self._guard:
            self._requests.append(request)
        words = [request.method, request.target, str(request.status), request.headers.get("range", "")]
        self._log.write(" ".join(words).rstrip())

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_IDLE_SECONDS)
        if self._tls is None:
            _Handler(connection, self._library, self._record)
            return
        try:
            secured = self._tls.wrap_socket(connection, server_side=True)
        except ssl.SSLError as error:
            self._log.write(f"TLS handshake failed: {error.reason}")
            return
        with secured:
            _Handler(secured, self._library, self._record)


class _Handler(BaseHTTPRequestHandler):
    """The handler of one connection's requests."""

    protocol_version = "HTTP/1.1"
    server_version = "kola"

    def __init__(
        self, connection: socket.socket, library: Library, record: Callable[[Request], None]
    ) -> None:
        self._library = library
        self._record = record
        # The base class only stores the server it is given, and there is none.
        server: Any = None
        super().__init__(connection, ("guest", 0), server)

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        found = self._library.find(self.path)
        match found:
            case None:
                self._whole(Reply(HTTPStatus.NOT_FOUND, b"there is no such file\n"))
            case Reply():
                self._whole(found)
            case Body():
                with found.stream:
                    self._file(found)

    def _whole(self, reply: Reply) -> None:
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        self._send(reply.status, headers, [] if self.command == "HEAD" else [reply.body])

    def _file(self, body: Body) -> None:
        headers = {"Accept-Ranges": "bytes", "ETag": body.tag, "Content-Type": "application/octet-stream"}
        if body.tag in self.headers.get("If-None-Match", ""):
            self._send(HTTPStatus.NOT_MODIFIED, headers, [])
            return
        asked = self.headers.get("Range", "")
        if self.headers.get("If-Range", body.tag) != body.tag:
            asked = ""
        try:
            part = byte_range(asked, body.size)
        except ValueError:
            headers |= {"Content-Range": f"bytes */{body.size}", "Content-Length": "0"}
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers, [])
            return
        status = HTTPStatus.OK
        if part is not None:
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{body.size}"
        part = part if part is not None else range(body.size)
        headers["Content-Length"] = str(len(part))
        self._send(status, headers, () if self.command == "HEAD" else body.pieces(part, _PIECE))

    def _send(self, status: int, headers: Mapping[str, str], pieces: Iterable[bytes]) -> None:
        said = {name.lower(): value for name, value in self.headers.items()}
        # Recorded first, so that a client that has seen the answer finds its request.
        self._record(Request(self.command, self.path, int(status), said))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: `_send` records requests, and the base class would write to standard error."""
