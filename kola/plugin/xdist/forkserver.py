"""A process that starts the workers of a run by forking itself.

So a worker has all modules from its first moment, and shares their memory with the other processes.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from kola.plugin.xdist.worker import die_with

_LENGTH = struct.Struct("!I")
_PID = struct.Struct("!i")
_BOOTSTRAP = "import sys;exec(eval(sys.stdin.readline()))"
"""The program of every worker (execnet.gateway_io): its first line of input is the rest."""


@dataclass(frozen=True)
class Forked:
    """A child of the server. The descriptor `pidfd` (pidfd_open(2)) stands for it, and is the caller's."""

    pid: int
    pidfd: int

    def wait(self) -> None:
        """Wait until the process has ended. Call it once, last of all."""
        select.select([self.pidfd], [], [])
        os.close(self.pidfd)

    def kill(self) -> None:
        signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


class ForkServer:
    """The server. It ends with this process, and the kernel ends its children with it."""

    def __init__(self, pid: int, connected: socket.socket) -> None:
        self.pid = pid
        self._socket = connected

    @classmethod
    def start(cls) -> ForkServer | None:
        """Fork the server, which has what this process has imported by now.

        Returns None where that is not safe: another thread of this process may hold a lock. Does not return
        in a child: that ends by SystemExit, so the caller must not have anything to clean up.
        """
        if len(list(Path("/proc/self/task").iterdir())) > 1:
            return None
        parent = os.getpid()
        ours, theirs = socket.socketpair()
        gc.freeze()  # so that no collection of a child writes to pages that all share
        pid = os.fork()
        if pid == 0:
            ours.close()
            _serve(theirs, parent)
        gc.unfreeze()
        theirs.close()
        return cls(pid, ours)

    def fork(self, stdin: int, stdout: int) -> Forked:
        """Fork a worker with these streams, and this process's environment and current directory.

        Raises OSError when there is no room for a process or the server is gone.
        """
        body = json.dumps({"environment": dict(os.environ), "directory": os.getcwd()}).encode()  # noqa: PTH109
        socket.send_fds(self._socket, [_LENGTH.pack(len(body))], [stdin, stdout])
        self._socket.sendall(body)
        answer, descriptors, _, _ = socket.recv_fds(self._socket, _PID.size, 1)
        if len(answer) != _PID.size or not descriptors:
            raise OSError("the process that starts the workers has ended")
        os.set_inheritable(descriptors[0], False)
        return Forked(_PID.unpack(answer)[0], descriptors[0])

    def close(self) -> None:
        """End the server. Call it when its children have ended."""
        self._socket.close()
        os.waitpid(self.pid, 0)


@dataclass(frozen=True)
class _Request:
    stdin: int
    stdout: int
    environment: dict[str, str]
    directory: str


def _serve(connected: socket.socket, parent: int) -> None:
    """Answer requests until the other side closes. Returns in no process: raises SystemExit in a child."""
    die_with(parent)
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
    for number in heard:
        signal.signal(number, signal.SIG_IGN)  # the run ends by them, and this process with the run
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    children: dict[int, int] = {}
    try:
        while True:
            ready, _, _ = select.select([connected.fileno(), *children], [], [])
            for pidfd in ready:
                if pidfd in children:
                    os.waitpid(children.pop(pidfd), 0)
                    os.close(pidfd)
            if connected.fileno() not in ready:
                continue
            request = _receive(connected)
            if request is None:
                os._exit(0)
            server = os.getpid()
            pid = os.fork()
            if pid == 0:
                break
            os.close(request.stdin)
            os.close(request.stdout)
            pidfd = os.pidfd_open(pid)
            children[pidfd] = pid
            socket.send_fds(connected, [_PID.pack(pid)], [pidfd])
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    connected.close()
    for pidfd in children:
        os.close(pidfd)
    die_with(server)
    for number, handler in heard.items():
        signal.signal(number, handler)
    _work(request)


def _receive(connected: socket.socket) -> _Request | None:
    head, descriptors, _, _ = socket.recv_fds(connected, _LENGTH.size, 2)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    body = b""
    while len(body) < length:
        body += connected.recv(length - len(body))
    told = json.loads(body)
    return _Request(descriptors[0], descriptors[1], told["environment"], told["directory"])


def _work(request: _Request) -> None:
    """Be a worker. Raises SystemExit at its end, so that Python ends as in any other process."""
    os.dup2(request.stdin, 0)
    os.dup2(request.stdout, 1)
    os.close(request.stdin)
    os.close(request.stdout)
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.directory)
    # These files are open as long as the process lives.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    exec(_BOOTSTRAP, {"__name__": "__main__"})
    gc.freeze()  # the process ends: nothing is worth a collection
    raise SystemExit(0)
