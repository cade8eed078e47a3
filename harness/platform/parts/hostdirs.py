"""Host directories in the guest: virtiofsd on the host, a mount unit in the guest."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig, additions
from harness.machine.spec import HostDirectory
from harness.util.process import run_tool, spawn
from harness.util.systemd import unit_of_path

_PROGRAMS = (
    Path("/usr/libexec/virtiofsd"),
    Path("/usr/lib/qemu/virtiofsd"),
    Path("/usr/libexec/qemu/virtiofsd"),
)
# Links at the root of an ostree system; systemd mounts on real directories only.
_LINKS = {"home": "var/home", "mnt": "var/mnt", "opt": "var/opt", "srv": "var/srv", "media": "var/media"}
# A private, read-only view of the directory, whatever the guest or virtiofsd would allow.
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


def start(directory: HostDirectory, owned: ExitStack) -> socket.socket:
    """Serve one directory and return QEMU's end of the socket, which the caller closes.

    Raises ConfigError for a path that is not a directory, or without virtiofsd.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("")  # an abstract name the kernel picks: no file to leave behind
        listener.listen(1)
        theirs = socket.socket(socket.AF_UNIX)
        try:
            theirs.connect(listener.getsockname())
            _serve(directory, listener, owned)
        except BaseException:
            theirs.close()
            raise
    return theirs


def listen(directory: HostDirectory, owned: ExitStack, path: Path) -> None:
    """Serve one directory to a QEMU that connects to the Unix socket `path`. Raises as `start` does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        _serve(directory, listener, owned)


def _serve(directory: HostDirectory, listener: socket.socket, owned: ExitStack) -> None:
    if not directory.host.is_dir():
        raise ConfigError(f"there is no directory {directory.host} to show to the guest")
    command = _command(_program(), directory, listener.fileno())
    child = spawn(command, name="virtiofsd", pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
    owned.callback(child.stop)


def arguments(controls: Sequence[int]) -> list[str]:
    """Return QEMU's arguments for the directories whose sockets are these descriptors, in order."""
    argv = []
    for number, control in enumerate(controls):
        argv += [
            "-chardev", f"socket,id=host{number},fd={control}",
            "-device", f"vhost-user-fs-pci,chardev=host{number},tag={tag(number)}",
        ]  # fmt: skip
    return argv


def mounts(directories: Sequence[HostDirectory]) -> IgnitionConfig:
    """Return a config with the units that mount the directories at their requested paths."""
    parts = []
    for number, directory in enumerate(directories):
        where = _real(directory.mount)
        options = "" if directory.writable else "Options=ro\n"
        text = (
            f"[Unit]\nDescription=Host directory at {where}\n"
            f"[Mount]\nWhat={tag(number)}\nWhere={where}\nType=virtiofs\n{options}"
            "[Install]\nWantedBy=local-fs.target\n"
        )
        parts.append(additions.unit(unit_name(where), text, enabled=True))
    return IgnitionConfig.empty().merge(*parts)


def unit_name(mount: str) -> str:
    """Return the name that systemd requires of the unit that mounts here (systemd.unit(5), escaping)."""
    return unit_of_path(mount, "mount")


def tag(number: int) -> str:
    """Return the name under which the guest mounts the directory of this number, from 0."""
    return f"kola-host{number}"


def _real(mount: str) -> str:
    if not mount.startswith("/") or ".." in mount.split("/") or mount.strip("/") == "":
        raise ConfigError(f"a host directory cannot be mounted at {mount!r}", hint="write an absolute path")
    first, slash, rest = mount.strip("/").partition("/")
    return "/" + _LINKS.get(first, first) + slash + rest


def _program() -> Path:
    named = shutil.which("virtiofsd")
    for path in (*([Path(named)] if named else []), *_PROGRAMS):
        if os.access(path, os.X_OK):
            return path
    raise ConfigError(
        "this host has no virtiofsd, which host directories need",
        hint="apt-get install qemu-system-common (Debian 12) or virtiofsd",
    )


def _command(program: Path, directory: HostDirectory, listener: int) -> list[str]:
    source = str(directory.host.resolve())
    words = run_tool([str(program), "--help"]).decode(errors="replace")
    if "--shared-dir" in words:  # the Rust one; QEMU up to 7.2 has its own in C
        argv = [str(program), f"--fd={listener}", "--shared-dir", source]
        if not directory.writable and "--readonly" in words:
            return [*argv, "--readonly"]
    else:
        argv = [str(program), f"--fd={listener}", "-o", f"source={source}"]
    if directory.writable or os.geteuid() != 0:
        return argv
    return ["unshare", "--mount", "--", "sh", "-c", _READ_ONLY, "sh", source, *argv]
