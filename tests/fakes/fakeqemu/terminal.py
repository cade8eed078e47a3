"""A login on the serial console: echoes what is typed and runs lines in the guest's shell."""

from __future__ import annotations

from fakeqemu.channels import Console
from fakeqemu.shell import Shell


def converse(console: Console, shell: Shell) -> None:
    """Serve a login until the other side closes. The first line is the user's name; no password is asked."""
    if console.socket is None:
        return
    user, line = "", b""
    while data := console.socket.recv(4096):
        for byte in data:
            key = bytes([byte])
            if key != b"\r":
                console.send(key)
                line += key
                continue
            console.send(b"\r\n")
            if not user:
                user = line.decode(errors="replace").strip()
            else:
                reply = shell.run(line.decode(errors="replace"), user, lambda: b"")
                console.send(reply.output.replace(b"\n", b"\r\n"))
            line = b""
            console.send(b"\x1b[1;32m" + user.encode() + b"@fake\x1b[0m:~$ ")
