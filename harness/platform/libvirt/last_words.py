"""QEMU's output, which libvirt keeps in a file for each domain."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.platform.libvirt.library import is_session

_SIZE = 4000
# Lines of libvirt itself, and QEMU's command line, which libvirt writes first.
_NOISE = ("starting up", "shutting down", "LC_ALL=", "PATH=", "HOME=", "XDG_", "QEMU_AUDIO", "tainted")


def of(uri: str, name: str) -> str:
    """Return the last lines that QEMU printed; empty when this user may not read them."""
    with contextlib.suppress(OSError):
        with _log(uri, name).open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _SIZE))
            lines = file.read().decode(errors="replace").splitlines()
        said = [line for line in lines if not any(word in line for word in _NOISE) and line[:1] != "-"]
        return "; ".join(line.strip() for line in said[-5:])
    return ""


def forget(uri: str, name: str) -> None:
    """Remove the file, where this user may: libvirt would keep one for each machine that ever ran."""
    with contextlib.suppress(OSError):
        _log(uri, name).unlink()


def _log(uri: str, name: str) -> Path:
    if not is_session(uri):
        return Path("/var/log/libvirt/qemu") / f"{name}.log"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "libvirt/qemu/log" / f"{name}.log"
