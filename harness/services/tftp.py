"""Files for TFTP, served by QEMU's own server at the only address where UDP passes."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.services.log import ServiceLog

_IN_OPEN = 0x20
_IN_CLOSE_NOWRITE = 0x10
_IN_ISDIR = 0x40000000
_EVENT = struct.Struct("iIII")


class TftpDirectory:
    """A directory that machines serve read-only (`tftp=` of QEMU's user network).

    UDP of a restricted guest reaches no other address, so it could not reach a server of our own. inotify(7)
    reports which files were opened.
    """

    def __init__(
        self, content: Mapping[str, str | bytes], directory: Path, log: ServiceLog, *, address: str
    ) -> None:
        """Write the files. Raises ConfigError for a path that leads out of the directory."""
        self.directory = directory.resolve()
        self._log = log
        self._address = address
        self._requests: list[str] = []
        for path, data in content.items():
            self._write(path, data)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._watch = _Watch(self.directory)

    def url(self, path: str) -> str:
        return f"tftp://{self._address}/{path.lstrip('/')}"

    @property
    def requests(self) -> list[str]:
        """Return the paths of the fetched files, one for each fetch.

        Requests for missing files are not seen.
        """
        for path in self._watch.opened():
            self._log.write(f"RRQ {path}")
            self._requests.append(path)
        return list(self._requests)

    def close(self) -> None:
        """Remove the files."""
        self.requests  # noqa: B018 - what came last belongs into the log
        self._watch.close()
        for parent, directories, files in os.walk(self.directory, topdown=False):
            for name in files:
                Path(parent, name).unlink()
            for name in directories:
                Path(parent, name).rmdir()
        self.directory.rmdir()

    def _write(self, path: str, data: str | bytes) -> None:
        file = (self.directory / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.directory) or file == self.directory:
            raise ConfigError(f"tftp: {path!r} is no path of a file")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)


class _Watch:
    """A watcher that reports which files below a directory were opened since the last query."""

    def __init__(self, root: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise InfrastructureError(
                f"no inotify: {os.strerror(ctypes.get_errno())}; see fs.inotify.max_user_instances",
                cause="no-inotify",
            )
        self._paths: dict[int, str] = {}
        # Two equal events in a row are merged; the end of a transfer keeps them apart.
        mask = _IN_OPEN | _IN_CLOSE_NOWRITE
        for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
            number = libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask)
            self._paths[number] = str(directory.relative_to(root))

    def opened(self) -> list[str]:
        found: list[str] = []
        while True:
            try:
                events = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return found
            while events:
                number, mask, _, length = _EVENT.unpack_from(events)
                name = events[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode(errors="replace")
                events = events[_EVENT.size + length :]
                if mask & _IN_OPEN and not mask & _IN_ISDIR and name:
                    found.append(str(Path(self._paths[number], name)))

    def close(self) -> None:
        os.close(self._descriptor)
