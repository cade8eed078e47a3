"""sshd of the guest, on paramiko. Imported late: loading paramiko takes longer than all the rest."""

from __future__ import annotations

import base64
import io
import socket
import threading
from typing import TYPE_CHECKING

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fakeqemu.forward import reset
from fakeqemu.line import GuestLine
from fakeqemu.reply import Reply
from fakeqemu.sftp import SftpFiles, SftpServer
from fakeqemu.shell import Shell

if TYPE_CHECKING:
    from fakeqemu.guest import Guest

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
CHUNK = b"x" * 63 + b"\n"


class Sshd:
    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._shell = Shell(guest)
        self._lock = threading.Lock()
        self._transports: list[paramiko.Transport] = []
        self._refusals = guest.plan.refuse_key_times
        self._drops = guest.plan.drop_logins
        self._own_key = _new_key()

    def serve(self, connected: socket.socket) -> None:
        threading.Thread(target=self._serve, args=(connected,), name="sshd", daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        line = GuestLine(connected, self._guest)
        transport = paramiko.Transport(line)
        transport.add_server_key(self._host_key())
        transport.set_subsystem_handler("sftp", SftpServer, SftpFiles, files=self._guest.files)
        with self._lock:
            self._transports = [known for known in self._transports if known.is_active()]
            self._transports.append(transport)
        try:
            transport.start_server(server=_Session(self._guest, self._shell, self))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()

    def _host_key(self) -> paramiko.PKey:
        """Read anew for each connection: a resumed guest learns its files late."""
        given = self._guest.files.get(HOST_KEY)
        own = given is None or self._guest.plan.wrong_host_key
        text = self._own_key if own or given is None else given.content.decode()
        return paramiko.Ed25519Key.from_private_key(io.StringIO(text))

    def accepts(self, user: str, key: paramiko.PKey) -> bool:
        if self._guest.plan.refuse_key:
            return False
        if self._refusals > 0:
            self._refusals -= 1
            return False
        known = self._guest.keys.get(user, [])
        return any(base64.b64decode(line.split()[1]) == key.asbytes() for line in known)

    def drops_login(self) -> bool:
        self._drops -= 1
        return self._drops >= 0

    def forget_connections(self) -> None:
        """Behave like a guest after a reset: silent now, RST for old connections once it is up again."""
        with self._lock:
            ending, self._transports = self._transports, []
        for transport in ending:
            transport.sock.forgotten = True

    def drop_connections(self) -> None:
        with self._lock:
            ending, self._transports = self._transports, []
        for transport in ending:
            reset(transport.sock.connected)
            transport.close()


class _Session(paramiko.ServerInterface):
    def __init__(self, guest: Guest, shell: Shell, sshd: Sshd) -> None:
        self._guest = guest
        self._shell = shell
        self._sshd = sshd
        self._user = ""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._sshd.drops_login():
            self._sshd.drop_connections()
            return paramiko.AUTH_FAILED
        self._user = username
        return paramiko.AUTH_SUCCESSFUL if self._sshd.accepts(username, key) else paramiko.AUTH_FAILED

    def check_global_request(self, kind: str, message: paramiko.Message) -> bool:
        if self._guest.starved.is_set():
            threading.Event().wait()  # with this thread, nothing on this connection is answered any more
        return False

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_UNKNOWN_CHANNEL_TYPE

    def check_channel_pty_request(
        self,
        channel: paramiko.Channel,
        term: bytes,
        width: int,
        height: int,
        pixelwidth: int,
        pixelheight: int,
        modes: bytes,
    ) -> bool:
        return True

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        return False

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        threading.Thread(target=self._converse, args=[channel], name="login", daemon=True).start()
        return True

    def _converse(self, channel: paramiko.Channel) -> None:
        """A login shell on a terminal: echoes keys, and runs each line. `exit` ends it."""
        prompt, line = f"{self._user}@fake:~$ ".encode(), b""
        try:
            channel.sendall(prompt)
            while keys := channel.recv(1024):
                for key in (keys[at : at + 1] for at in range(len(keys))):
                    if key not in b"\r\n":
                        channel.sendall(key)
                        line += key
                        continue
                    reply = self._shell.run(line.decode(errors="replace"), self._user, lambda: b"")
                    channel.sendall(b"\r\n" + reply.output.replace(b"\n", b"\r\n"))
                    if reply.then:
                        self._guest.act(reply.then)
                    if line.split()[:1] == [b"exit"]:
                        channel.send_exit_status(reply.status)
                        channel.close()
                        return
                    line = b""
                    channel.sendall(prompt)
            channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            channel.close()

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        job = (channel, command.decode(errors="replace"))
        threading.Thread(target=self._run, args=job, name="exec", daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel, line: str) -> None:
        reply = self._shell.run(line, self._user, lambda: channel.makefile("rb").read())
        pause = threading.Event()
        try:
            pause.wait(reply.delay)
            channel.sendall(reply.output)
            channel.sendall_stderr(reply.stderr.encode())
            _pour(channel, reply)
            if reply.then:
                pause.wait(0.02)  # lets what was sent leave the machine before it changes
                if reply.then in ("reset", "reboot", "poweroff"):
                    channel.send_exit_status(reply.status)
                self._guest.act(reply.then)
            if reply.hang:
                return
            channel.send_exit_status(reply.status)
            channel.shutdown_write()
            # The client closes; closing first could overtake the answer to its exec request.
            channel.settimeout(5)
            channel.recv(1)
            channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            channel.close()


def _pour(channel: paramiko.Channel, reply: Reply) -> None:
    block = CHUNK * 512
    left = reply.size
    while left:
        piece = block if left < 0 else block[:left]
        channel.sendall(piece)
        left -= len(piece) if left > 0 else 0


def _new_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )
