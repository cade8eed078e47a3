"""SSH with paramiko: one persistent connection with a pinned host key; commands with separate streams and a
deadline.
"""

from __future__ import annotations

import base64
import codecs
import io
import logging
import select
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness.errors import DeadlineExceeded, HarnessError, MachineFailure
from harness.machine.heartbeat import Heartbeat
from harness.machine.incidents import Incidents
from harness.util.deadline import Deadline

_SLICE = 0.25
_SETTLE = 0.3
PATIENCE_SECONDS = 30.0
"""Seconds, on the machine's scale, after which a guest without a sign of life is given up."""

# Paramiko logs every lost connection as an error; here it is an exception with a cause.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class AuthenticationRefused(HarnessError):
    """Raised when sshd refuses the login. `methods` are those that sshd offers."""

    def __init__(self, user: str, methods: Sequence[str]) -> None:
        self.user = user
        self.methods = tuple(methods)
        offered = ", ".join(self.methods) or "unknown"
        super().__init__(f"sshd refused {user}; methods it offers: {offered}")


class ConnectionLost(HarnessError):
    """Raised when the connection ends before the command."""


KILLED = (137, 143)
"""A shell's statuses for a command that SIGKILL or SIGTERM ended."""


class CommandFailed(HarnessError):
    """Raised when a command ends with an unexpected status. `completed` holds its result."""

    def __init__(self, completed: Completed) -> None:
        self.completed = completed
        said = (completed.stderr.strip() or completed.stdout.strip())[-2000:]
        tail = f"\n{said}" if said else ""
        super().__init__(f"`{completed.command}` exited with status {completed.status}{tail}")


@dataclass(frozen=True)
class SshKey:
    """An ed25519 key pair in OpenSSH's formats (openssh: PROTOCOL.key)."""

    private: str
    public: str

    @classmethod
    def generate(cls, comment: str) -> SshKey:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        return cls(private.decode(), f"{public.decode()} {comment}")

    def paramiko(self) -> paramiko.PKey:
        return paramiko.Ed25519Key.from_private_key(io.StringIO(self.private))

    @property
    def blob(self) -> bytes:
        """The public key in SSH's wire format."""
        return base64.b64decode(self.public.split()[1])


@dataclass(frozen=True)
class Completed:
    """The result of a command. `status` is negative when a signal killed the remote shell."""

    command: str
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def killed(self) -> bool:
        """True when SIGKILL or SIGTERM seems to have ended the command, or any signal its shell."""
        return self.status < 0 or self.status in KILLED

    @property
    def ok(self) -> bool:
        return self.status == 0

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    def check(self) -> Completed:
        """Return this result; raise CommandFailed when the status is not 0."""
        if not self.ok:
            raise CommandFailed(self)
        return self


class SshConnection:
    """An authenticated connection to one guest."""

    def __init__(
        self, transport: paramiko.Transport, incidents: Incidents, heartbeat: Heartbeat, patience: float
    ) -> None:
        self._transport = transport
        self._incidents = incidents
        self._heartbeat = heartbeat
        self._patience = patience

    @classmethod
    def open(
        cls,
        connected: socket.socket,
        *,
        user: str,
        key: SshKey | None,
        password: str | None,
        host_key: SshKey | None,
        incidents: Incidents,
        deadline: Deadline,
        cpu_seconds: Callable[[], float] = float,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> SshConnection:
        """Make the SSH handshake on a connected socket, compare the host key with `host_key`, and log in.

        A guest that is silent for `patience` seconds afterwards is given up; `cpu_seconds` returns the CPU
        time it has used.

        Raises AuthenticationRefused, MachineFailure `ssh-host-key`, ConnectionLost, DeadlineExceeded.
        """
        transport = paramiko.Transport(connected)
        transport.banner_timeout = transport.auth_timeout = max(1.0, deadline.remaining)
        transport.handshake_timeout = max(1.0, deadline.remaining)
        if host_key is not None:
            transport.get_security_options().key_types = ["ssh-ed25519"]
        try:
            transport.start_client(timeout=max(1.0, deadline.remaining))
            _hold_against(transport, host_key)
            if password is not None:
                transport.auth_password(user, password, fallback=False)
            elif key is not None:
                transport.auth_publickey(user, key.paramiko())
            else:
                transport.auth_none(user)
        except paramiko.BadAuthenticationType as error:
            transport.close()
            raise AuthenticationRefused(user, error.allowed_types) from None
        except paramiko.AuthenticationException:
            transport.close()
            raise AuthenticationRefused(user, []) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            transport.close()
            incidents.check()
            deadline.check("logging in over SSH", str(error))
            raise ConnectionLost(f"the SSH handshake failed: {error}") from error
        except BaseException:
            transport.close()
            raise
        return cls(transport, incidents, Heartbeat(transport, cpu_seconds, clock), patience)

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    @property
    def silence(self) -> float:
        """Seconds since the guest's last sign of life."""
        return self._heartbeat.silence

    def close(self) -> None:
        self._heartbeat.end()
        self._transport.close()

    def run(
        self,
        command: str | Sequence[str],
        *,
        deadline: Deadline,
        input: str | bytes | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run a shell line, or an argument list that is quoted for the shell.

        `on_output` gets text as it arrives. Raises ConnectionLost, DeadlineExceeded (sshd sends the command
        SIGHUP), MachineFailure `guest-unresponsive`, or the machine's fatal incident.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        started = time.monotonic()
        departures = self._incidents.departures
        channel = self._session(line, deadline)
        try:
            with _closed_after(channel, deadline):
                channel.exec_command(line)
            if input is not None:
                data = input.encode() if isinstance(input, str) else input
                threading.Thread(target=_feed, args=(channel, data), name="ssh input", daemon=True).start()
            collected = _Collected(on_output)
            while not (channel.exit_status_ready() and channel.eof_received) or channel.recv_ready():
                self._pump(channel, collected, line, deadline)
                if self._heartbeat.silence > self._patience:
                    if self._incidents.departures > departures:
                        self._raise_lost(line)
                    raise self._heartbeat.unresponsive(f"during `{line}`")
                if channel.closed and not channel.recv_ready() and not channel.recv_stderr_ready():
                    break
            collected.drain(channel)
            status = channel.recv_exit_status() if channel.exit_status_ready() else None
            if status is None or (status < 0 and self._ended_early(channel)):
                self._raise_lost(line)
        except (paramiko.SSHException, OSError, EOFError):
            deadline.check(f"running `{line}`", "the guest did not take the command")
            self._raise_lost(line)
        finally:
            channel.close()
        return Completed(line, status, collected.stdout, collected.stderr, time.monotonic() - started)

    def _ended_early(self, channel: paramiko.Channel) -> bool:
        """Return True when a missing status means a lost connection.

        A command killed by a signal has no status either.

        paramiko closes the channels of a dying connection first, and counts that as their exit.
        """
        if channel.eof_received:
            self._transport.join(_SETTLE)
        return not (channel.eof_received and self.alive)

    def _session(self, line: str, deadline: Deadline) -> paramiko.Channel:
        if not self.alive:
            self._raise_lost(line)
        try:
            return self._transport.open_session(timeout=max(0.1, deadline.remaining))
        except (paramiko.SSHException, EOFError, OSError):
            deadline.check(f"running `{line}`", "the guest did not take the command")
            self._raise_lost(line)

    def _pump(self, channel: paramiko.Channel, collected: _Collected, line: str, deadline: Deadline) -> None:
        if channel.eof_received and not channel.recv_ready() and not channel.recv_stderr_ready():
            # Only the exit status is missing; the descriptor would stay readable.
            channel.status_event.wait(_SLICE)
        else:
            select.select([channel], [], [], _SLICE)
        collected.drain(channel)
        self._incidents.check()
        if deadline.expired:
            last = (collected.stdout + collected.stderr).rstrip().rpartition("\n")[2]
            raise DeadlineExceeded(f"running `{line}`", seconds=deadline.elapsed, last_seen=last)
        if not self.alive:
            collected.drain(channel)
            if not channel.exit_status_ready():
                self._raise_lost(line)

    def _raise_lost(self, line: str) -> NoReturn:
        # The end of QEMU shows here first; its cause is known a little later.
        self._incidents.wake.wait(_SETTLE)
        self._incidents.check()
        raise ConnectionLost(f"the SSH connection ended during `{line}`")

    def put(self, source: Path, target: str, *, deadline: Deadline) -> None:
        """Copy a local file into the guest, with its permission bits.

        Raises OSError when the guest refuses, ConnectionLost, DeadlineExceeded.
        """
        with self._sftp(f"copying {source} to {target}", deadline) as sftp:
            sftp.put(str(source), target)
            sftp.chmod(target, source.stat().st_mode & 0o777)

    def put_bytes(self, data: bytes, target: str, *, mode: int = 0o644, deadline: Deadline) -> None:
        with self._sftp(f"writing {target}", deadline) as sftp:
            with sftp.open(target, "wb") as handle:
                handle.write(data)
            sftp.chmod(target, mode)

    def get(self, source: str, target: Path, *, deadline: Deadline) -> None:
        with self._sftp(f"copying {source} from the guest", deadline) as sftp:
            sftp.get(source, str(target))

    def get_bytes(self, source: str, *, deadline: Deadline) -> bytes:
        with self._sftp(f"reading {source}", deadline) as sftp, sftp.open(source, "rb") as handle:
            return handle.read()

    @contextmanager
    def _sftp(self, step: str, deadline: Deadline) -> Iterator[paramiko.SFTPClient]:
        channel = self._session(step, deadline)
        try:
            with _closed_after(channel, deadline):
                channel.invoke_subsystem("sftp")
                with paramiko.SFTPClient(channel) as client:
                    yield client
        except (paramiko.SSHException, EOFError):
            deadline.check(step)
            self._raise_lost(step)
        except OSError:
            deadline.check(step)
            if not self.alive:
                self._raise_lost(step)
            raise
        finally:
            channel.close()


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    """Send a command's input.

    Runs beside the thread that reads its output: either may have to wait for the other.

    A command need not read all of its input. The reader of the output notices a lost connection.
    """
    with suppress(OSError, EOFError, paramiko.SSHException):
        channel.sendall(data)
        channel.shutdown_write()


@contextmanager
def _closed_after(channel: paramiko.Channel, deadline: Deadline) -> Iterator[None]:
    """Bound paramiko waits that take no timeout, by closing the channel when time is up."""
    timer = threading.Timer(deadline.remaining, channel.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hold_against(transport: paramiko.Transport, host_key: SshKey | None) -> None:
    if host_key is not None and transport.get_remote_server_key().asbytes() != host_key.blob:
        raise MachineFailure("ssh-host-key", "the guest shows another host key than it was given")


class _Collected:
    """The two streams of a command, decoded at the end and passed on as they arrive."""

    def __init__(self, on_output: Callable[[str], None] | None) -> None:
        self._out = bytearray()
        self._err = bytearray()
        self._on_output = on_output
        decoder = codecs.getincrementaldecoder("utf-8")
        self._heard = {id(stream): decoder(errors="replace") for stream in (self._out, self._err)}

    def drain(self, channel: paramiko.Channel) -> None:
        while channel.recv_ready():
            self._take(self._out, channel.recv(65536))
        while channel.recv_stderr_ready():
            self._take(self._err, channel.recv_stderr(65536))

    def _take(self, store: bytearray, data: bytes) -> None:
        store += data
        if self._on_output is not None and (text := self._heard[id(store)].decode(data)):
            self._on_output(text)

    @property
    def stdout(self) -> str:
        return self._out.decode(errors="replace")

    @property
    def stderr(self) -> str:
        return self._err.decode(errors="replace")
