"""The route to a guest's sshd through a jump host: a real OpenSSH client, and a server of paramiko's."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paramiko
import pytest

from harness.machine.route import SshRoute
from harness.machine.ssh import SshKey

BANNER = b"SSH-2.0-guest\r\n"


class JumpHost(paramiko.ServerInterface):
    """Lets one key in, and connects what it forwards."""

    def __init__(self, key: SshKey) -> None:
        self._key = key.paramiko()
        self.asked: list[tuple[str, int]] = []

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL if key == self._key else paramiko.AUTH_FAILED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self.asked.append(destination)
        return paramiko.OPEN_SUCCEEDED

    def serve(self, listener: socket.socket, host_key: SshKey) -> None:
        connected, _ = listener.accept()
        transport = paramiko.Transport(connected)
        transport.add_server_key(host_key.paramiko())
        transport.start_server(server=self)
        channel = transport.accept(30)
        if channel is not None:
            with socket.create_connection(self.asked[0]) as guest:
                channel.sendall(guest.recv(100))
            channel.close()
        transport.close()


@pytest.fixture
def guest() -> Iterator[tuple[str, int]]:
    """The address of an sshd that says its banner to the first client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connected, _ = listener.accept()
            with connected:
                connected.sendall(BANNER)

        threading.Thread(target=greet, daemon=True).start()
        yield listener.getsockname()


@pytest.fixture
def jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JumpHost]:
    """A jump host that the user's OpenSSH configuration calls `far`."""
    key, host_key = SshKey.generate("user"), SshKey.generate("host")
    server = JumpHost(key)
    with ExitStack() as owned:
        listener = owned.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=server.serve, args=[listener, host_key], daemon=True).start()
        identity = tmp_path / "identity"
        identity.write_text(key.private)
        identity.chmod(0o600)
        port = listener.getsockname()[1]
        (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {host_key.public}\n")
        config: dict[str, Any] = {
            "HostName": "127.0.0.1",
            "Port": port,
            "User": "user",
            "IdentityFile": identity,
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": tmp_path / "known",
        }
        (tmp_path / "config").write_text("Host far\n" + "".join(f"{k} {v}\n" for k, v in config.items()))
        # ssh looks for its configuration in the user's real home directory.
        program = tmp_path / "bin/ssh"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {tmp_path}/config "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        yield server


@pytest.mark.skipif(not Path("/usr/bin/ssh").exists(), reason="there is no OpenSSH client")
def test_the_guest_is_reached_through_the_jump_host(jump: JumpHost, guest: tuple[str, int]) -> None:
    with SshRoute(*guest, jump_host="far").connect() as connected:
        connected.settimeout(60)
        assert connected.recv(100) == BANNER
    assert jump.asked == [guest]


@pytest.mark.skipif(not Path("/usr/bin/ssh").exists(), reason="there is no OpenSSH client")
def test_a_jump_host_that_does_not_let_us_in_ends_the_connection(jump: JumpHost) -> None:
    route = SshRoute("127.0.0.1", 1, jump_host="user@nowhere.invalid")
    with route.connect() as connected:
        connected.settimeout(60)
        assert connected.recv(100) == b""
    assert jump.asked == []
    assert "nowhere.invalid" in route.jump_fault()


def test_without_a_jump_host_none_is_at_fault() -> None:
    assert SshRoute("127.0.0.1", 1).jump_fault() == ""
