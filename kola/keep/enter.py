"""Access to a kept machine: OpenSSH's client with the machine's own key, and its serial console."""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from harness.errors import ConfigError, InfrastructureError, MachineFailure
from harness.util import ansi
from harness.util.language import tr
from harness.util.process import require
from harness.util.width import cut
from kola.keep.protocol import Order, Request, ask, connected
from kola.keep.record import Kept, SshEntry

LEAVE = 0x1D
"""Ctrl-], the key that leaves a console, as in telnet and virsh."""

_CONNECTION_FAILED = 255  # ssh(1): exit status
_BOOT_SECONDS = 900.0


def ssh_entry(kept: Kept) -> SshEntry:
    """Return the SSH access. Raises ConfigError for a machine without a network."""
    if kept.ssh is None:
        raise ConfigError(f"{kept.name} cannot be reached by SSH", hint=f"kola console {kept.name}")
    return kept.ssh


def ssh_options(kept: Kept) -> list[str]:
    """Options for ssh, scp and sftp. The user's own configuration takes part only with a jump host."""
    entry = ssh_entry(kept)
    known = entry.known_hosts
    values = {
        "IdentityFile": _quoted(entry.key_file),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "HostKeyAlias": kept.name,
        "UserKnownHostsFile": _quoted(known) if known is not None else "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes" if known is not None else "no",
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "6",
        "LogLevel": "ERROR",
        "Port": str(entry.port),
    }
    start = ["-F", os.devnull]
    if entry.jump_host:
        words = [_percent(word) for word in entry.jump_options]
        jump = shlex.join(["ssh", "-o", "BatchMode=yes", *words, "-W", "[%h]:%p", "--", entry.jump_host])
        start = ["-o", f"ProxyCommand={jump}"]
    return [*start, *(word for key, value in values.items() for word in ("-o", f"{key}={value}"))]


def ssh_command(kept: Kept, command: Sequence[str] = (), *, terminal: bool = False) -> list[str]:
    """Return the command line of ssh. Raises ConfigError when this host has no ssh."""
    require("ssh", package="openssh-client")
    entry = ssh_entry(kept)
    force = ["-tt"] if terminal else []
    return ["ssh", *ssh_options(kept), *force, f"{entry.user}@{entry.address}", *command]


def become(line: list[str]) -> NoReturn:
    """Replace this process by the program, so that signals reach the program."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(line[0], line)


def shell(kept: Kept, command: Sequence[str] = (), *, reconnect: bool = False) -> int:
    """Run a shell, or the command, in the machine, and return its exit status.

    With `reconnect`, a lost connection is renewed once the guest answers again.
    """
    line = ssh_command(kept, command, terminal=bool(command) and sys.stdin.isatty())
    while True:
        with _heedless():
            status = subprocess.run(line, check=False).returncode
        if not reconnect or status != _CONNECTION_FAILED:
            return status
        print(tr("{name}: waiting for it to come back", name=kept.name), file=sys.stderr, flush=True)
        try:
            ask(kept.control, Request(order=Order.AWAIT_SSH, seconds=_BOOT_SECONDS))
        except InfrastructureError as error:
            if error.cause == "no-keeper":
                print(tr("{name} has ended", name=kept.name), file=sys.stderr)
                return status
            raise


def output_of(kept: Kept, command: str) -> str:
    """Run a command in the machine and return its standard output. Raises MachineFailure when it fails."""
    done = subprocess.run(
        ssh_command(kept, [command]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise MachineFailure(
            "command-failed", f"{command!r} ended with status {done.returncode}", evidence=done.stderr.strip()
        )
    return done.stdout


def await_ssh(kept: Kept, *, show: bool) -> None:
    """Wait until the guest answers; `show` keeps the console's last line on the screen meanwhile.

    Raises InfrastructureError when the guest, or the machine, ends before.
    """
    with connected(kept.console) as lines:
        if show:
            threading.Thread(target=_show_status, args=[lines], name="status", daemon=True).start()
        try:
            ask(kept.control, Request(order=Order.AWAIT_SSH, seconds=_BOOT_SECONDS))
        finally:
            lines.shutdown(socket.SHUT_RDWR)
    if show:
        sys.stderr.write("\r\x1b[K")


def _show_status(lines: socket.socket) -> None:
    shown = b""
    with contextlib.suppress(OSError):
        while data := lines.recv(65536):
            shown = (shown + data)[-4096:]
            text = ansi.strip(shown.decode(errors="replace")).replace("\r", "").strip().rpartition("\n")[2]
            width = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r\x1b[K{cut(text, width - 1)}")
            sys.stderr.flush()


def console(kept: Kept) -> None:
    """Connect this terminal, or standard input and output, with the serial console.

    Returns when the machine ends, at the key LEAVE, and at the end of standard input.
    """
    welcome = tr("console of {name}; Ctrl-] leaves, and Enter brings up a prompt", name=kept.name)
    try:
        with connected(kept.console) as connection, _raw(sys.stdin.fileno()):
            sys.stderr.write(f"{welcome}\r\n")
            sys.stderr.flush()
            _relay(connection, sys.stdin.fileno())
    except OSError as error:
        raise InfrastructureError(
            f"the console of {kept.name} cannot be reached: {error.strerror}", cause="no-keeper"
        ) from None
    print("\n" + tr("left the console of {name}", name=kept.name), file=sys.stderr, flush=True)


def _relay(connection: socket.socket, keys: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        _watch(selector, keys)
        _watch_reader(selector)
        while True:
            for ready, _ in selector.select():
                if ready.fileobj == 1:
                    return
                if ready.fileobj is connection:
                    shown = connection.recv(65536)
                    if not shown:
                        return
                    _write(shown)
                else:
                    typed = os.read(keys, 4096)
                    before, leaves, _rest = typed.partition(bytes([LEAVE]))
                    if before:
                        connection.sendall(before)
                    if leaves or not typed:
                        return


def _watch(selector: selectors.BaseSelector, keys: int) -> None:
    """Watch standard input for keys, unless it is a file or /dev/null: then the console is only shown."""
    with contextlib.suppress(PermissionError):  # epoll_ctl(2): EPERM
        selector.register(keys, selectors.EVENT_READ)


def _watch_reader(selector: selectors.BaseSelector) -> None:
    """Watch a pipe on standard output: it becomes ready when its reader is gone (poll(2): POLLERR)."""
    if stat.S_ISFIFO(os.fstat(1).st_mode):
        selector.register(1, selectors.EVENT_READ)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Context in which every key goes to the guest, including Ctrl-C."""
    if not os.isatty(terminal):
        yield
        return
    before = termios.tcgetattr(terminal)
    ends = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setraw(terminal, termios.TCSADRAIN)  # what was typed ahead is kept
        yield
    finally:
        with contextlib.suppress(termios.error):  # a terminal that is gone
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        for number, handler in ends.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """End by an exception, so that the terminal gets its mode back."""
    raise SystemExit(128 + number)


@contextmanager
def _heedless() -> Iterator[None]:
    """Context in which Ctrl-C reaches only the program in the foreground."""

    def ignore(number: int, frame: FrameType | None) -> None:
        """A handler, unlike SIG_IGN, is not handed on to the program."""

    before = signal.signal(signal.SIGINT, ignore)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _quoted(path: Path) -> str:
    """Quote the path as a value of ssh_config(5), where `%` begins a token."""
    return '"' + _percent(str(path)) + '"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")
