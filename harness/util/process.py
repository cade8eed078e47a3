"""Child processes that die with this process, and short tools whose failure raises."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

from harness.errors import ConfigError, InfrastructureError


class _Spawner:
    """A thread that starts every long-lived child and lives as long as the process.

    The kernel sends PR_SET_PDEATHSIG when the *thread* that forked ends (prctl(2)); a child started from a
    short-lived thread would be killed in the middle of a test.
    """

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="kola-spawner", daemon=True).start()

    def _serve(self) -> None:
        while True:
            job, answer = self._work.get()
            try:
                answer.set_result(job())
            except BaseException as error:  # handed to the caller, whatever it is
                answer.set_exception(error)

    def call(self, job: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._work.put((job, answer))
        return answer.result()


_spawner: _Spawner | None = None
_spawner_lock = threading.Lock()


def _the_spawner() -> _Spawner:
    global _spawner
    with _spawner_lock:
        if _spawner is None:
            _spawner = _Spawner()
        return _spawner


class Child:
    """A running child process. The kernel kills it if this process dies first."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self._process = process
        self.name = name

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout: float) -> int | None:
        """Return the exit status, or None when it still runs after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, *, grace: float = 0.0) -> None:
        """End and reap the process: SIGTERM with `grace` seconds to obey when positive, then SIGKILL."""
        if grace > 0 and self.running:
            self._process.terminate()
            self.wait(grace)
        if self.running:
            self._process.kill()
        self._process.wait()

    def describe_exit(self) -> str:
        """Return `exited with status 1` or `was killed by SIGKILL`, for messages."""
        status = self._process.poll()
        if status is None:
            return "is still running"
        if status >= 0:
            return f"exited with status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"was killed by signal {-status}"


def spawn(
    argv: Sequence[str],
    *,
    name: str,
    pass_fds: Sequence[int] = (),
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = subprocess.DEVNULL,
) -> Child:
    """Start a long-lived child in a session of its own that the kernel kills when we die.

    `setpriv` (util-linux) sets the parent-death signal and executes the program in the same process,
    which a Python `preexec_fn` could not do safely in a process with threads. The shell between them
    closes the gap in which we may have died before the signal was set.
    """
    require(argv[0])
    still_ours = '[ "$PPID" = "$0" ] && exec "$@"'
    full = ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", still_ours, str(os.getpid()), *argv]
    process = _the_spawner().call(
        lambda: subprocess.Popen(
            full,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    )
    return Child(process, name)


def require(program: str, *, package: str | None = None) -> Path:
    """Return the path of a host program. Raises ConfigError with what to install when it is absent."""
    found = shutil.which(program)
    if found is None:
        hint = f"apt-get install {package}" if package else f"install {program} and have it on PATH"
        raise ConfigError(f"this host has no {program}", hint=hint)
    return Path(found)


def run_tool(
    argv: Sequence[str],
    *,
    timeout: float = 60.0,
    pass_fds: Sequence[int] = (),
    input: bytes | None = None,
) -> bytes:
    """Run a short host tool and return its standard output. Raises InfrastructureError when it fails."""
    require(argv[0])
    try:
        done = subprocess.run(
            list(argv),
            capture_output=True,
            timeout=timeout,
            pass_fds=tuple(pass_fds),
            input=input,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            f"{argv[0]} did not finish within {timeout:.0f} s", cause="host-tool-timeout"
        ) from error
    if done.returncode != 0:
        raise InfrastructureError(
            f"{' '.join(argv)} failed with status {done.returncode}",
            cause="host-tool-failed",
            evidence=done.stderr.decode(errors="replace")[-2000:],
        )
    return done.stdout
