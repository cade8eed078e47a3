"""The network route to a guest's sshd."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass

from harness.util.process import Child, spawn

_CONNECT_SECONDS = 2.0
_JUMP_SECONDS = 10
_SSH_FAILED = 255
"""The status of ssh(1) for an error of its own; others are the remote command's."""


@dataclass(frozen=True)
class SshRoute:
    """The address and port at which the guest's port 22 is reached.

    With `jump_host`, an OpenSSH destination, this is an address as the jump host sees it. The user's own
    OpenSSH configuration says how to log in there, and `jump_options` of ssh(1) what it does not say.
    """

    address: str
    port: int = 22
    jump_host: str | None = None
    jump_options: tuple[str, ...] = ()

    def connect(self) -> socket.socket:
        """Return a connected socket, on which sshd may or may not answer. Raises OSError, ConfigError."""
        if self.jump_host is not None:
            return self._through(self.jump_host)
        connected = socket.create_connection((self.address, self.port), timeout=_CONNECT_SECONDS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def jump_fault(self) -> str:
        """Return ssh's reason why the jump host lets nobody in now; empty when it does, or without one."""
        if self.jump_host is None:
            return ""
        command = [*self._ssh(), "--", self.jump_host, "true"]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * _JUMP_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {2 * _JUMP_SECONDS} s"
        if done.returncode != _SSH_FAILED:
            return ""
        said = done.stderr.decode(errors="replace").strip()
        return said.rpartition("\n")[2].strip() or "ssh gives no reason"

    def _ssh(self) -> tuple[str, ...]:
        wait = f"ConnectTimeout={_JUMP_SECONDS}"
        return ("ssh", "-o", "BatchMode=yes", "-o", wait, *self.jump_options)

    def _through(self, jump_host: str) -> socket.socket:
        """Connect through standard input and output of `ssh -W`, which ends with the connection."""
        ours, theirs = socket.socketpair()
        command = [*self._ssh(), "-W", f"{self.address}:{self.port}", "--", jump_host]
        with theirs:
            try:
                _reap(spawn(command, name="ssh", stdin=theirs.fileno(), stdout=theirs.fileno()))
            except BaseException:
                ours.close()
                raise
        return ours


_jumps: list[Child] = []
"""Connections through jump hosts. The next connection reaps those that have ended."""


def _reap(child: Child) -> None:
    _jumps[:] = [*(jump for jump in _jumps if jump.running), child]
