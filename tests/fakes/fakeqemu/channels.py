"""The guest's end of the serial lines the harness reads."""

from __future__ import annotations

import json
import socket
import threading
import time

HOSTNAME = "fake"


class Channel:
    """A connected socket that several threads write to; nothing happens when there is none."""

    def __init__(self, descriptor: int | None) -> None:
        self.socket = socket.socket(fileno=descriptor) if descriptor is not None else None
        self._lock = threading.Lock()

    def send(self, data: bytes) -> None:
        if self.socket is None:
            return
        with self._lock:
            try:
                self.socket.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                self.socket = None


class Console(Channel):
    def line(self, text: str) -> None:
        self.send(text.encode() + b"\r\n")

    def kernel(self, text: str) -> None:
        self.line(f"[{time.monotonic() % 1000:12.6f}] {text}")


class JournalPort(Channel):
    """Entries as `journalctl -o json` writes them."""

    def entry(self, message: str, *, boot_id: str, identifier: str = "kernel", priority: int = 6) -> None:
        fields = {
            "__REALTIME_TIMESTAMP": str(int(time.time() * 1e6)),
            "_BOOT_ID": boot_id.replace("-", ""),
            "_HOSTNAME": HOSTNAME,
            "SYSLOG_IDENTIFIER": identifier,
            "_PID": "1" if identifier == "systemd" else "731",
            "PRIORITY": str(priority),
            "MESSAGE": message,
        }
        self.send(json.dumps(fields).encode() + b"\n")
