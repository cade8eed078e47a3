"""The log of one service, kept with the test's results."""

from __future__ import annotations

import threading
import time
from pathlib import Path


class ServiceLog:
    """A file of lines with this host's time. It is created with the first line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._guard = threading.Lock()

    def write(self, line: str) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        with self._guard:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as log:
                log.write(f"{moment} {line}\n")
