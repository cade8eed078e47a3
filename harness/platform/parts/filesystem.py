"""Access to a few small files of a file system in an image, without mounting it."""

from __future__ import annotations

import os
import shutil
import struct
from contextlib import ExitStack
from typing import Protocol

from harness.errors import ConfigError, InfrastructureError
from harness.platform.parts.disks import through_descriptor
from harness.util.process import require, run_tool

# Offsets in an ext2/3/4 file system (kernel: Documentation/filesystems/ext4, super block).
_SUPER = 1024
_MAGIC_AT = _SUPER + 0x38
_INCOMPAT_AT = _SUPER + 0x60
_NEEDS_RECOVERY = 0x4


class Files(Protocol):
    """Files by absolute path inside the file system."""

    def names(self, directory: str) -> list[str]: ...

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, content: bytes) -> None:
        """Replace the content; owner root, mode 0644, extended attributes kept."""
        ...


def is_ext(head: bytes) -> bool:
    """Return True when these first 2 KiB are those of an ext2, ext3 or ext4 file system."""
    return head[_MAGIC_AT : _MAGIC_AT + 2] == b"\x53\xef"


class ExtFiles:
    """An ext file system in an open file, accessed with e2fsprogs' debugfs."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        require("debugfs", package="e2fsprogs")
        features = struct.unpack("<I", os.pread(descriptor, 4, _INCOMPAT_AT))[0]
        if features & _NEEDS_RECOVERY:
            # The guest would replay the journal over our changes.
            run_tool(
                ["e2fsck", "-y", "-E", "journal_only", through_descriptor(descriptor)],
                pass_fds=[descriptor],
            )

    def names(self, directory: str) -> list[str]:
        # Each line has the form /inode/mode/uid/gid/name/size/
        rows = (line.split("/") for line in self._ask(f'ls -p "{directory}"').decode().splitlines())
        return sorted(row[5] for row in rows if len(row) > 6 and row[5] not in (".", ".."))

    def read(self, path: str) -> bytes:
        return self._ask(f'cat "{path}"')

    def write(self, path: str, content: bytes) -> None:
        directory, _, name = path.rpartition("/")
        with ExitStack() as owned:
            source = _anonymous(content, owned)
            kept = [
                (attribute, _anonymous(self._ask(f'ea_get -r "{path}" {attribute}'), owned))
                for attribute in self._attributes(path)
            ]
            script = [f'cd "{directory or "/"}"', f'rm "{name}"']
            script.append(f'write {through_descriptor(source)} "{name}"')
            for attribute, value in kept:
                script.append(f'ea_set -f {through_descriptor(value)} "{name}" {attribute}')
            commands = _anonymous("".join(line + "\n" for line in script).encode(), owned)
            descriptors = [self._descriptor, source, commands, *(value for _, value in kept)]
            run_tool(
                ["debugfs", "-w", "-f", through_descriptor(commands), through_descriptor(self._descriptor)],
                pass_fds=descriptors,
            )
        if self.read(path) != content:  # debugfs ends with status 0 even after an error
            raise InfrastructureError(f"debugfs did not write {path}", cause="host-tool-failed")

    def _attributes(self, path: str) -> list[str]:
        rows = self._ask(f'ea_list "{path}"').decode(errors="replace").splitlines()
        return [row.split()[0] for row in rows if row.startswith("  ")]

    def _ask(self, request: str) -> bytes:
        return run_tool(
            ["debugfs", "-R", request, through_descriptor(self._descriptor)], pass_fds=[self._descriptor]
        )


class GuestfishFiles:
    """The file system labelled `boot` of an image, accessed with guestfish: slow, but of any type."""

    def __init__(self, overlay: int) -> None:
        if shutil.which("guestfish") is None:
            raise ConfigError(
                "the boot partition is not ext2, ext3 or ext4; to put arguments into it takes guestfish",
                hint="apt-get install libguestfs-tools",
            )
        # Its appliance is a process that inherits no descriptors: it opens the file through this process.
        self._path = f"/proc/{os.getpid()}/fd/{overlay}"

    def names(self, directory: str) -> list[str]:
        return sorted(self._run(f"ls {directory}").decode().split())

    def read(self, path: str) -> bytes:
        return self._run(f"download {path} /dev/stdout")

    def write(self, path: str, content: bytes) -> None:
        with ExitStack() as owned:
            source = _anonymous(content, owned)
            self._run(f"upload /proc/{os.getpid()}/fd/{source} {path}")

    def _run(self, command: str) -> bytes:
        script = f"add {self._path} format:qcow2\nrun\nmount /dev/disk/by-label/boot /\n{command}\n"
        return run_tool(["guestfish"], input=script.encode(), timeout=300)


def _anonymous(content: bytes, owned: ExitStack) -> int:
    descriptor = os.memfd_create("kola-file")
    owned.callback(os.close, descriptor)
    os.fchmod(descriptor, 0o644)
    os.write(descriptor, content)
    return descriptor
