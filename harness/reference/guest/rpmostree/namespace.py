"""A private mount namespace: our mounts are invisible to other processes and end with us."""

from __future__ import annotations

import ctypes
import os

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000
_MNT_DETACH = 2


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter() -> None:
    """Leave the host's mount namespace; its later mounts still arrive here, but ours never there."""
    libc = _libc()
    _check(libc.unshare(_CLONE_NEWNS), "unshare")
    _check(libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None), "mount --make-rslave /")


def bind(source: str, target: str, *, recursive: bool = False) -> None:
    """Mount like `mount --bind`."""
    flags = _MS_BIND | (_MS_REC if recursive else 0)
    _check(_libc().mount(source.encode(), target.encode(), None, flags, None), f"mount --bind {target}")


def overlay(*, lower: str, upper: str, work: str, target: str) -> None:
    """Mount `lower` at `target`; changes are written only to `upper`."""
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    _check(_libc().mount(b"overlay", target.encode(), b"overlay", 0, options.encode()), "mount -t overlay")


def tmpfs(target: str) -> None:
    """Mount an empty file system in memory."""
    _check(_libc().mount(b"tmpfs", target.encode(), b"tmpfs", 0, None), f"mount -t tmpfs {target}")


def unmount(target: str) -> None:
    """Unmount, even if the mount is in use."""
    _check(_libc().umount2(target.encode(), _MNT_DETACH), f"umount {target}")
