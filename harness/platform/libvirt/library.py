"""The libvirt library: its import, its errors as ours, and the URIs that we accept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.machine.incidents import HOST_LOST
from harness.platform.hosts import HostEntry
from harness.util.deadline import Deadline

T = TypeVar("T")

PACKAGES = "apt-get install libvirt-dev pkg-config gcc, then pip install '.[libvirt]'; or make libvirt-host"

_URIS = (
    "write qemu:///system, qemu:///session, qemu+unix:///system?socket=PATH or qemu+ssh://USER@HOST/system"
)
_TRANSPORTS = ("qemu", "qemu+unix", "qemu+ssh", "qemu+tcp", "qemu+tls")

OLDEST = 9_000_000
"""The oldest version of libvirt that is supported, as its functions count: 9.0.0."""

NO_DOMAIN = 42
"""libvirt's VIR_ERR_NO_DOMAIN."""

_FROM_RPC = 7  # libvirt's virErrorDomain: the connection itself
_CONNECTION_ENDED = (1, 38)  # libvirt's VIR_ERR_INTERNAL_ERROR, VIR_ERR_SYSTEM_ERROR


def load() -> Any:
    """Return the module `libvirt`. Raises ConfigError with the packages to install."""
    try:
        import libvirt
        import libvirt_qemu  # noqa: F401  # its calls are needed, too
    except ImportError:
        raise ConfigError("this Python has no libvirt-python", hint=PACKAGES) from None
    return libvirt


def default_uri() -> str:
    """Return the URI of the daemon that this user starts machines with when none is named."""
    return "qemu:///system" if os.geteuid() == 0 else "qemu:///session"


def check_uri(uri: str) -> None:
    """Raise ConfigError for a URI of another hypervisor, or that names no daemon."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"libvirt URI {uri}: {error}", hint=_URIS) from None
    if parts.scheme not in _TRANSPORTS:
        raise ConfigError(f"libvirt URI {uri}: machines need QEMU", hint=_URIS)
    if parts.path not in ("/system", "/session"):
        raise ConfigError(f"libvirt URI {uri}: its path is /system or /session", hint=_URIS)
    if parts.scheme == "qemu+unix" and parts.netloc:
        raise ConfigError(f"libvirt URI {uri}: a Unix socket has no host name", hint=_URIS)
    if parts.scheme in ("qemu+ssh", "qemu+tcp") and not parts.hostname:
        raise ConfigError(f"libvirt URI {uri}: it names no host", hint=_URIS)


def is_local(uri: str) -> bool:
    """Return True for a daemon of this host, whose machines share files with this process."""
    return not urlsplit(uri).netloc


@dataclass(frozen=True)
class JumpHost:
    """A host as a destination of ssh(1), and options that the user's own configuration lacks."""

    destination: str
    options: tuple[str, ...]


def jump_host(entry: HostEntry) -> JumpHost | None:
    """Return the host through which guests are reached; None for those of this host.

    QEMU's user-mode network gives a guest that is not on the Internet no route, so that it answers to
    connections from its own host only.
    """
    parts = urlsplit(entry.ssh or entry.uri)
    if entry.ssh and not parts.netloc:
        return JumpHost(entry.ssh, ())
    if not parts.netloc:
        return None
    if parts.scheme not in ("ssh", "qemu+ssh"):
        return JumpHost(parts.hostname or parts.netloc, ())
    given = dict(parse_qsl(parts.query))
    options: list[str] = []
    if "keyfile" in given:
        options += ["-i", given["keyfile"]]
    if given.get("no_verify", "0") != "0":
        for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"):
            options += ["-o", option]
    return JumpHost(f"ssh://{parts.netloc}", tuple(options))


def is_session(uri: str) -> bool:
    """Return True for the daemon of one user, whose machines are that user's processes."""
    return urlsplit(uri).path == "/session"


def text_of(error: Exception) -> str:
    """Return libvirt's message in one line."""
    return " ".join(str(error).split())


def is_gone(error: Any) -> bool:
    """Return True when the error says that the connection to the daemon has ended."""
    # Elsewhere the same codes mean a file that cannot be read, for one, or a full disk.
    return error.get_error_domain() == _FROM_RPC and error.get_error_code() in _CONNECTION_ENDED


@contextmanager
def translated(step: str, *, cause: str = "libvirt-refused") -> Iterator[None]:
    """Turn libvirt's errors into InfrastructureError.

    `cause` holds unless the daemon is gone (`host-lost`) or the domain is (`qemu-exited`).
    """
    library = load()
    try:
        yield
    except library.libvirtError as error:
        if is_gone(error):
            raise InfrastructureError(
                f"libvirt no longer answers while {step}: {text_of(error)}", cause=HOST_LOST
            ) from None
        if error.get_error_code() == NO_DOMAIN:
            raise InfrastructureError(f"the machine is gone while {step}", cause="qemu-exited") from None
        raise InfrastructureError(f"libvirt failed while {step}: {text_of(error)}", cause=cause) from None


def ask(
    step: str,
    call: Callable[[], T],
    *,
    deadline: Deadline,
    cause: str = "libvirt-refused",
    late: Callable[[T], object] = lambda result: None,
) -> T:
    """Return what `call`, of libvirt, returns. Raises DeadlineExceeded, and errors as `translated` does.

    libvirt waits without a limit for a QEMU that hangs, and nothing interrupts it. The thread that waits is
    then left to itself; `late` gets the result that nobody waits for any more.
    """
    with translated(step, cause=cause):
        try:
            return limited(call, deadline.remaining, late=late)
        except FutureTimeout:
            raise DeadlineExceeded(f"{step} through libvirt", seconds=deadline.elapsed) from None


def limited(call: Callable[[], T], seconds: float, *, late: Callable[[T], object] = lambda result: None) -> T:
    """Return what `call` returns, from a thread of its own. Raises TimeoutError; see `ask` for `late`."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # handed to the caller, whatever it is
            answer.set_exception(error)

    def dispose(done: Future[T]) -> None:
        if done.exception() is None:
            with suppress(load().libvirtError):
                late(done.result())

    threading.Thread(target=work, name="libvirt call", daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except BaseException:  # an interrupt, too, leaves the call behind
        answer.add_done_callback(dispose)
        raise
