"""libvirt daemons of the tests' own: private, below a subreaper, with nothing left at their end.

A system daemon has /etc/libvirt, /run/libvirt and so on to itself, in a mount namespace. A session daemon is
an ordinary user's. Started as a script, this file is the subreaper: `libvirtd.py PARENT COMMAND…`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

NOBODY = 65534

_MOUNTS = """
for d in etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt \\
    run:/run/libvirt lock:/var/lock
do
    mkdir -p "${d#*:}" && mount --bind "$0/${d%%:*}" "${d#*:}" || exit 1
done
[ ! -e "$0/kvm" ] || mount --bind "$0/kvm" /dev/kvm || exit 1
exec libvirtd -f "$0/etc/libvirtd.conf" -p "$0/pid" "$@"
"""

_ACCOUNTS = 'mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/lock" /var/lock && exec "$@"'

_SSHD = """
Port 22
ListenAddress {address}
HostKey {directory}/ssh/host
AuthorizedKeysFile {directory}/ssh/key.pub
PidFile {directory}/ssh/pid
UsePAM no
StrictModes no
MaxStartups 100
PermitRootLogin prohibit-password
"""


@dataclass
class Daemon:
    """A running daemon: its directory, URI, and the process above it that reaps and ends everything below.

    `ssh` is the way to its host, if that is not this one, whose network namespace is `network`.
    """

    directory: Path
    uri: str
    reaper: subprocess.Popen[bytes]
    environment: dict[str, str]
    ssh: str = ""
    network: str = ""

    @property
    def pid(self) -> int:
        return int((self.directory / "pid").read_text())

    def virsh(self, *words: str) -> str:
        """Run virsh and return its output."""
        done = subprocess.run(
            ["virsh", "-c", self.uri, *words], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    def domains(self) -> list[str]:
        return self.virsh("list", "--all", "--name").split()

    def unplug(self) -> None:
        """Take the link of its host down. The daemon and its machines live on."""
        self._link("down")

    def plug(self) -> None:
        """Have the link of its host up again."""
        self._link("up")

    def _link(self, state: str) -> None:
        words = ["ip", "-n", self.network, "link", "set", f"{self.network}b", state]
        subprocess.run(words, check=True)

    def kill(self, sign: int = signal.SIGKILL) -> None:
        """Send a signal to the daemon alone, not to its machines."""
        os.kill(self.pid, sign)

    def stop(self) -> None:
        """End the daemon and everything below it."""
        self.reaper.terminate()
        self.reaper.wait(30)


@contextlib.contextmanager
def system_daemon(
    directory: Path,
    *,
    sandbox: bool = True,
    config: str = "",
    words: Sequence[str] = (),
    inside: Sequence[str] = (),
) -> Iterator[Daemon]:
    """A daemon of root's in a mount namespace of its own. In the `sandbox` QEMU may not start processes.

    `config` and `words` are more of its settings and arguments; `inside` is a command that starts it.
    """
    for name in ("etc", "lib", "cache", "log", "run", "lock"):
        (directory / name).mkdir(parents=True)
    socket = _sockets(directory)
    (directory / "etc/libvirtd.conf").write_text(
        f'unix_sock_dir = "{socket.parent}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n'
        'unix_sock_rw_perms = "0777"\n'
        f'log_outputs = "3:stderr"\n{config}'
    )
    (directory / "etc/qemu.conf").write_text(
        'stdio_handler = "file"\ncgroup_controllers = [ ]\nnamespaces = [ ]\n'
        f"seccomp_sandbox = {-1 if sandbox else 0}\n"
    )
    if Path("/dev/kvm").exists():
        # libvirt probes QEMU again and again where root may open /dev/kvm and QEMU's user may not.
        kvm = directory / "kvm"
        os.mknod(kvm, 0o660 | 0o020000, os.makedev(10, 232))
        with contextlib.suppress(LookupError):
            shutil.chown(kvm, group="kvm")
        kvm.chmod(0o660)
    command = [*inside, "unshare", "--mount", "--propagation", "private"]
    command += ["sh", "-c", _MOUNTS, str(directory), *words]
    daemon = _start(directory, command, f"qemu+unix:///system?socket={socket}", {})
    try:
        yield daemon
    finally:
        daemon.stop()


@contextlib.contextmanager
def far_daemon(directory: Path, number: int, *, ssh: bool) -> Iterator[Daemon]:
    """A system daemon in a network namespace of its own, reached by TCP or by SSH, as on another host.

    Its address is 10.250.NUMBER.2; `number` is this test's own.
    """
    address, name = f"10.250.{number}.2", f"kola{number}"
    with _network(name, number):
        inside = ["ip", "netns", "exec", name]
        listen = [
            f'listen_tls = 0\nlisten_tcp = 1\nlisten_addr = "{address}"\nauth_tcp = "none"\n',
            "--listen",
        ]
        config, words = ("", []) if ssh else (listen[0], [listen[1]])
        with contextlib.ExitStack() as owned:
            daemon = owned.enter_context(system_daemon(directory, config=config, words=words, inside=inside))
            key = owned.enter_context(_sshd(directory, address, inside))
            query = f"keyfile={key}&no_verify=1"
            daemon.ssh, daemon.network = f"ssh://root@{address}?{query}", name
            socket = directory / "sock/libvirt-sock"
            by_ssh = f"qemu+ssh://root@{address}/system?{query}&no_tty=1&socket={socket}"
            daemon.uri = by_ssh if ssh else f"qemu+tcp://{address}/system"
            yield daemon


@contextlib.contextmanager
def _network(name: str, number: int) -> Iterator[None]:
    """A network namespace that a pair of interfaces connects with this one."""
    here, there = f"{name}a", f"{name}b"
    steps = [
        f"ip netns add {name}",
        f"ip link add {here} type veth peer name {there}",
        f"ip link set {there} netns {name}",
        f"ip addr add 10.250.{number}.1/30 dev {here}",
        f"ip link set {here} up",
        f"ip -n {name} addr add 10.250.{number}.2/30 dev {there}",
        f"ip -n {name} link set {there} up",
        f"ip -n {name} link set lo up",
    ]
    try:
        for step in steps:
            subprocess.run(step.split(), check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["ip", "link", "del", here], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextlib.contextmanager
def _sshd(directory: Path, address: str, inside: list[str]) -> Iterator[Path]:
    """An sshd of the tests' own; yields the file of the key that it takes. Its sessions end with it."""
    home = directory / "ssh"
    home.mkdir(mode=0o755, parents=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "key"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
        subprocess.run(words, check=True)
    (home / "config").write_text(_SSHD.format(address=address, directory=directory))
    with (home / "log").open("wb") as log:
        words = [*inside, "/usr/sbin/sshd", "-D", "-e", "-f", str(home / "config")]
        server = _reaped(words, log)
    try:
        _wait_for(home / "pid", server, home / "log")  # which sshd writes when it listens
        yield home / "key"
    finally:
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def far_session(directory: Path, number: int) -> Iterator[str]:
    """A host as of `far_daemon`, on which `nobody` may log in; yields the URI of this user's session daemon.

    It is started by the first connection. The user's home is the directory `home`.
    """
    address, name = f"10.250.{number}.2", f"kola{number}"
    home = directory / "home"
    home.mkdir(parents=True)
    os.chown(home, NOBODY, NOBODY)
    lines = Path("/etc/passwd").read_text().splitlines()
    others = [line for line in lines if not line.startswith("nobody:")]
    (directory / "passwd").write_text("\n".join([*others, f"nobody:x:{NOBODY}:{NOBODY}::{home}:/bin/sh", ""]))
    with _network(name, number):
        inside = ["ip", "netns", "exec", name, "unshare", "--mount", "--propagation", "private"]
        # A killed daemon of root's may have left locks on consoles, which an ordinary user cannot remove.
        (directory / "lock").mkdir()
        (directory / "lock").chmod(0o1777)
        inside += ["sh", "-c", _ACCOUNTS, str(directory)]
        with _sshd(directory, address, inside) as key:
            yield f"qemu+ssh://nobody@{address}/session?keyfile={key}&no_verify=1&no_tty=1"


@contextlib.contextmanager
def session_daemon(directory: Path, user: int = NOBODY) -> Iterator[Daemon]:
    """A session daemon of an ordinary user, who owns the directory."""
    socket = _sockets(directory)
    config = directory / "config/libvirt"
    for path in (config, directory / "run", directory / "cache", directory / "data"):
        path.mkdir(parents=True)
    (config / "libvirtd.conf").write_text(f'unix_sock_dir = "{socket.parent}"\nlog_outputs = "3:stderr"\n')
    (config / "qemu.conf").write_text('stdio_handler = "file"\n')
    for base in (directory, socket.parent):
        for path in (base, *base.rglob("*")):
            os.chown(path, user, user)
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(directory),
        "XDG_RUNTIME_DIR": str(directory / "run"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "XDG_CACHE_HOME": str(directory / "cache"),
        "XDG_DATA_HOME": str(directory / "data"),
    }
    command = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
    command += ["libvirtd", "-p", str(directory / "pid")]
    uri = f"qemu+unix:///session?socket={socket}"
    daemon = _start(directory, command, uri, environment)
    try:
        yield daemon
    finally:
        daemon.stop()


def _sockets(directory: Path) -> Path:
    """The path of the daemon's socket. Paths of sockets are short."""
    path = directory / "sock"
    path.mkdir(parents=True, exist_ok=True)
    return path / "libvirt-sock"


def _start(directory: Path, command: list[str], uri: str, environment: dict[str, str]) -> Daemon:
    with (directory / "daemon.log").open("wb") as log:
        reaper = _reaped(command, log, environment)
    daemon = Daemon(directory, uri, reaper, environment)
    try:
        _wait_for(Path(uri.partition("socket=")[2]), reaper, directory / "daemon.log")
    except AssertionError:
        daemon.stop()
        raise
    return daemon


def _wait_for(file: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a process has made a file. Raises AssertionError with its log."""
    limit = time.monotonic() + 60
    while not file.exists():
        if process.poll() is not None or time.monotonic() > limit:
            raise AssertionError(f"no {file}:\n{log.read_text()}")
        time.sleep(0.05)


def _reaped(
    command: list[str], log: BinaryIO, environment: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a command below a subreaper, which ends everything below it when it is terminated."""
    words = [sys.executable, __file__, str(os.getpid()), *command]
    return subprocess.Popen(words, env=environment or None, stdout=log, stderr=log, start_new_session=True)


# The subreaper


def reap(parent: int, command: list[str]) -> int:
    """Run the daemon; reap it and all orphans below it; end with it, and end them."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    libc.prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        return 1
    daemon = subprocess.Popen(command)
    asked: list[int] = []

    def tell(number: int) -> None:
        # Popen's own ways to send a signal would reap the daemon, and the loop below would not learn of it.
        if daemon.returncode is None:
            send(daemon.pid, number)

    signal.signal(signal.SIGTERM, lambda *_: (asked.append(1), tell(signal.SIGTERM)))
    ended: float | None = None
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if pid == daemon.pid:
            daemon.returncode = 0
            ended = time.monotonic()
        if pid == 0:
            # A daemon that was killed by a test leaves its machines running for a while, as in life.
            if asked and ended is None and len(asked) == 1:
                asked.append(2)
                signal.alarm(10)
                signal.signal(signal.SIGALRM, lambda *_: tell(signal.SIGKILL))
            if asked and ended is not None:
                for orphan in children():
                    send(orphan, signal.SIGKILL)
            time.sleep(0.02)


def send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def children() -> list[int]:
    """All processes below this one."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
    found, todo = [], [os.getpid()]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


if __name__ == "__main__":
    sys.exit(reap(int(sys.argv[1]), sys.argv[2:]))
