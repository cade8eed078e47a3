"""sftp into the guest's files."""

from __future__ import annotations

import io
from typing import Any

import paramiko
from fakeqemu.files import Files


class SftpServer(paramiko.SFTPServer):
    """Ends as OpenSSH's server does, with an exit status, which scp asks for."""

    def finish_subsystem(self) -> None:
        self.sock.send_exit_status(0)
        super().finish_subsystem()


class SftpFiles(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, *args: Any, files: Files, **more: Any) -> None:
        super().__init__(server, *args, **more)
        self._files = files

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        node = self._files.get(path)
        if self._files.is_directory(path):
            return paramiko.SFTP_FAILURE
        if flags & 3:
            return _Writing(self._files, path, flags)
        return paramiko.SFTP_NO_SUCH_FILE if node is None else _Reading(node.content, flags)

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        node = self._files.get(path)
        if node is None:
            return paramiko.SFTP_NO_SUCH_FILE
        found = paramiko.SFTPAttributes()
        found.st_size = len(node.content)
        found.st_mode = 0o100000 | node.mode
        return found

    lstat = stat

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        node = self._files.get(path)
        if node is None:
            return paramiko.SFTP_NO_SUCH_FILE
        if attr.st_mode is not None:
            node.mode = attr.st_mode & 0o7777
        return paramiko.SFTP_OK

    def remove(self, path: str) -> int:
        return paramiko.SFTP_OK if self._files.remove(path) else paramiko.SFTP_NO_SUCH_FILE

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return paramiko.SFTP_OK


class _Reading(paramiko.SFTPHandle):
    def __init__(self, content: bytes, flags: int) -> None:
        super().__init__(flags)
        self.readfile = io.BytesIO(content)

    def stat(self) -> paramiko.SFTPAttributes:
        found = paramiko.SFTPAttributes()
        found.st_size = len(self.readfile.getbuffer())
        return found


class _Writing(paramiko.SFTPHandle):
    def __init__(self, files: Files, path: str, flags: int) -> None:
        super().__init__(flags)
        self._files = files
        self._path = path
        self._content = bytearray()

    def write(self, offset: int, data: bytes) -> int:
        self._content[offset : offset + len(data)] = data
        try:
            self._files.write(self._path, bytes(self._content))
        except OSError:
            return paramiko.SFTP_FAILURE  # the protocol's version 3 has no word for a full disk
        return paramiko.SFTP_OK

    def close(self) -> None:
        if not self._content:
            self._files.write(self._path, b"")
        super().close()

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        return paramiko.SFTP_OK
