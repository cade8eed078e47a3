"""An emulated TPM 2.0 (swtpm) whose state lives in memory."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

from harness.platform.parts.disks import through_descriptor
from harness.util.process import require, spawn

_ARGUMENT = {"x86_64": "tpm-tis", "aarch64": "tpm-tis-device"}


def available() -> bool:
    """Return True when this host has swtpm."""
    return shutil.which("swtpm") is not None


def start(owned: ExitStack) -> socket.socket:
    """Start swtpm for one machine and return QEMU's end of the control channel, which the caller closes.

    The child goes on `owned`. Raises ConfigError without swtpm.
    """
    theirs, ours = socket.socketpair()
    try:
        _serve(f"clientfd={ours.fileno()}", ours, owned)
    except BaseException:
        theirs.close()
        raise
    finally:
        ours.close()
    return theirs


def listen(owned: ExitStack, path: Path) -> None:
    """Start swtpm for one machine, whose QEMU connects to the Unix socket `path`. Raises as `start` does."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        _serve(f"fd={listener.fileno()}", listener, owned)


def _serve(control: str, end: socket.socket, owned: ExitStack) -> None:
    require("swtpm", package="swtpm")
    # An anonymous file leaves nothing on disk, whichever process is killed.
    state = os.memfd_create("kola-tpm")
    try:
        # fmt: off
        argv = [
            "swtpm", "socket",
            "--tpm2",
            "--tpmstate", f"backend-uri=file://{through_descriptor(state)}",
            "--ctrl", f"type=unixio,{control}",
        ]
        # fmt: on
        child = spawn(argv, name="swtpm", pass_fds=[end.fileno(), state])
        owned.callback(child.stop)
    finally:
        os.close(state)


def arguments(arch: str, control: int) -> list[str]:
    """Return QEMU's arguments for a TPM whose control channel is the descriptor `control`."""
    return [
        "-chardev", f"socket,id=tpm,fd={control}",
        "-tpmdev", "emulator,id=tpm0,chardev=tpm",
        "-device", f"{_ARGUMENT[arch]},tpmdev=tpm0",
    ]  # fmt: skip
