"""The cache of decompressed artifacts: filled once, kept while in use, bounded in size.

Layout: `<root>/artifacts/<key>/<file name>`, locks beside it in `<root>/artifacts/.locks`. Lock files
are never removed: a lock on an unlinked file would protect nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import InfrastructureError
from harness.util.deadline import Deadline
from harness.util.locks import exclusive
from harness.util.paths import cache_root
from harness.util.sizes import GIB, parse_size

LIMIT_VARIABLE = "KOLA_ARTIFACT_CACHE_SIZE"
DEFAULT_LIMIT = 20 * GIB
_FILL_SECONDS = 3600.0
_PARTIAL = ".partial"

_leases: dict[Path, IO[bytes]] = {}
_leases_guard = threading.Lock()


def cache_limit() -> int:
    """Return the cache's maximum size in bytes, from `KOLA_ARTIFACT_CACHE_SIZE` (`40G`).

    Raises ConfigError when unreadable.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    return parse_size(text) if text else DEFAULT_LIMIT


@dataclass(frozen=True)
class ArtifactCache:
    """The cache below `root`, by default in the user's cache directory."""

    root: Path

    @classmethod
    def default(cls) -> ArtifactCache:
        return cls(cache_root())

    @property
    def entries(self) -> Path:
        return self.root / "artifacts"

    def path(self, key: str, name: str) -> Path:
        """Return the path of the file called `name` of entry `key`, which need not exist yet."""
        return self.entries / key / name

    def obtain(
        self,
        key: str,
        name: str,
        *,
        fill: Callable[[Path], None],
        valid: Callable[[Path], bool] = Path.is_file,
        on_wait: Callable[[], None] | None = None,
    ) -> Path:
        """Return the cached file, made by `fill(partial path)` if no process has made it before.

        One process fills; the others wait for it. Nothing is left behind when `fill` raises, and the remains
        of killed processes are removed. The entry is leased: no process evicts it before this one ends.
        """
        found = self.path(key, name)
        try:
            found.parent.mkdir(parents=True, exist_ok=True)
            self._lease(key)
            self._sweep()
        except OSError as error:
            raise InfrastructureError(
                f"the artifact cache {self.entries} cannot be written: {error.strerror}",
                cause="cache-unwritable",
            ) from error
        if not valid(found):
            deadline = Deadline(_FILL_SECONDS)
            with exclusive(self._lock_file(key, "fill"), deadline=deadline, on_wait=on_wait):
                if not valid(found):
                    self._fill(found, fill)
            self.evict(cache_limit())
        os.utime(found.parent)
        return found

    def evict(self, limit: int) -> tuple[str, ...]:
        """Remove the least recently used entries until the rest take at most `limit` bytes; return the
        removed keys.

        An entry leased by a living process stays, even above the limit.
        """
        if not self.entries.is_dir():
            return ()
        known = self._entries()
        sizes = {entry: _disk_use(entry) for entry in known}
        total = sum(sizes.values())
        removed = []
        for entry in sorted(known, key=_last_use):
            if total <= limit:
                break
            if self._remove_unless_leased(entry):
                total -= sizes[entry]
                removed.append(entry.name)
        return tuple(removed)

    def discard(self, key: str, name: str) -> None:
        """Mark the entry as unfinished and remove the file.

        Its other files stay for processes that lease it.
        """
        with contextlib.suppress(FileNotFoundError):
            self.path(key, _PARTIAL).touch()
            self.path(key, name).unlink()

    def _sweep(self) -> None:
        """Remove unfinished entries that no process is filling any more."""
        for entry in self._entries():
            with contextlib.suppress(FileNotFoundError):
                names = {file.name for file in entry.iterdir()}
                if not names or _PARTIAL in names:
                    self._remove_unless_leased(entry)

    def _entries(self) -> list[Path]:
        return [e for e in self.entries.iterdir() if e.is_dir() and not e.name.startswith(".")]

    def _fill(self, found: Path, fill: Callable[[Path], None]) -> None:
        # The lease keeps evictors out, but one may have taken the directory just before it was granted.
        found.parent.mkdir(parents=True, exist_ok=True)
        partial = found.parent / _PARTIAL
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)  # marks what a killed process leaves
        try:
            fill(partial)
            partial.chmod(0o444)
            partial.replace(found)
        except BaseException:
            partial.unlink(missing_ok=True)
            if not any(found.parent.iterdir()):
                found.parent.rmdir()
            raise

    def _lock_file(self, key: str, purpose: str) -> Path:
        return self.entries / ".locks" / f"{key}.{purpose}"

    def _lease(self, key: str) -> None:
        """Hold the entry's shared lock until this process ends."""
        path = self._lock_file(key, "use")
        with _leases_guard:
            if path in _leases:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("a+b")
            fcntl.flock(handle, fcntl.LOCK_SH)
            _leases[path] = handle

    def _remove_unless_leased(self, entry: Path) -> bool:
        path = self._lock_file(entry.name, "use")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            # Another process may have removed it while this one waited for its turn.
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(entry)
            return True


def _last_use(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _disk_use(entry: Path) -> int:
    """Return the bytes that an entry occupies on disk, as images are sparse.

    What other processes remove meanwhile counts 0: files, and the whole entry.
    """
    total = 0
    for directory, _, names in os.walk(entry):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(directory, name).lstat().st_blocks * 512
    return total
