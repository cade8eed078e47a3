"""Checks that all container engines share, with an image made in the guest."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from harness.ignition import IgnitionConfig, additions
from harness.machine.machine import Machine
from harness.machine.ssh import Completed
from testsuites.names import ADDRESS, NAME

IMAGE = "localhost/kola/probe"
ARCHIVE = "/var/lib/kola-image.tar"
GREETING = "hello from a container"
PORT = 8080

# A root file system of the guest's own programs with the libraries they need: nothing is downloaded.
_MAKE_IMAGE = f"""#!/bin/bash
set -eu
root=$(mktemp -d /var/tmp/kola-image.XXXXXX)
chmod 755 "$root"
mkdir -p "$root"/bin "$root"/tmp "$root"/etc "$root"/data "$root"/proc "$root"/sys "$root"/dev
for program in bash cat id ls sleep touch; do
    path=$(command -v $program)
    cp -L "$path" "$root/bin/"
    ldd "$path" | grep -o '/[^ )]*' | while read -r library; do
        cp -L --parents "$library" "$root/"
    done
done
ln -s bash "$root/bin/sh"
echo 'root:x:0:0:root:/:/bin/sh' > "$root/etc/passwd"
echo 'root:x:0:' > "$root/etc/group"
echo '{GREETING}' > "$root/etc/greeting"
tar -C "$root" --owner=0 --group=0 --numeric-owner -cf {ARCHIVE} .
rm -r "$root"
"""
SERVER = f"systemd-socket-activate --inetd -a -l {PORT} cat /etc/greeting"
FROM_THE_HOST = ("-v", "/usr:/usr:ro")
"""Options that mount the guest's /usr for the server, whose libraries would be most of the image."""
ALONE = ("--network", "none")
"""Options without a network, for tests of other subjects: a network costs seven seconds under emulation."""
ASK = f"exec 3<>/dev/tcp/%s/{PORT} && cat <&3"


def prepared(import_command: str, *, needs: str = "") -> IgnitionConfig:
    """Return a config that makes the image and, once the unit `needs` is up, imports it."""
    unit = (
        "[Unit]\nDescription=Make an Image of Our Own Programs\n"
        + (f"Requires={needs}\nAfter={needs}\n" if needs else "")
        + "[Service]\nType=oneshot\nRemainAfterExit=yes\n"
        + "ExecStart=/bin/bash /etc/kola-make-image\n"
        + f"ExecStart={import_command}\n"
        + "[Install]\nWantedBy=multi-user.target\n"
    )
    script = additions.GuestFile(path="/etc/kola-make-image", content=_MAKE_IMAGE, mode=0o755)
    return additions.kola_files([script]).merge(additions.unit("kola-image.service", unit, enabled=True))


def imported_by_podman(machine: Machine) -> None:
    """Make the image and import it into podman's store."""
    machine.run("bash -s", sudo=True, input=_MAKE_IMAGE, timeout=300).check()
    Engine(machine, "podman")("import", ARCHIVE, IMAGE, timeout=300).check()


@dataclass(frozen=True)
class Engine:
    """`podman` or another program of its command line, as root or as the login user."""

    machine: Machine
    program: str
    rootless: bool = False

    def __call__(self, *words: str, **options: Any) -> Completed:
        return self.machine.run([self.program, *words], sudo=not self.rootless, **options)

    def shell(self, script: str, *flags: str, network: bool = False) -> Completed:
        """Run a script in a new container, which is then removed. It has a network only if requested."""
        return self("run", "--rm", *(() if network else ALONE), *flags, IMAGE, "sh", "-c", script)

    def daemon(self, name: str, *flags: str, command: str = "sleep infinity") -> None:
        # A container's first process ignores SIGTERM, and its engine would wait for ten seconds.
        self(
            "run", "-d", "--stop-signal", "KILL", "--name", name, *flags, IMAGE, *shlex.split(command)
        ).check()


def check_run(engine: Engine) -> None:
    """Check that a container runs as root in its own file system, and that its exit status is reported."""
    script = "cat /etc/greeting; id -u; set -- /proc/[0-9]*; echo $#; cat /usr/lib/os-release; exit 42"
    done = engine.shell(script)
    assert done.status == 42, done
    greeting, user, processes, *rest = done.lines
    assert (greeting, user) == (GREETING, "0")
    assert int(processes) < 5, "the host's processes are in the container"
    assert not rest, "the host's files are in the container"


def check_exec_and_logs(engine: Engine) -> None:
    """Check that a running container is listed, logs its output, takes commands, and can be removed."""
    engine.daemon("kola-one", *ALONE, command="sh -c 'echo it began; sleep infinity'")
    assert "kola-one" in engine("ps", "--format", "{{.Names}}").check().lines
    assert engine("exec", "kola-one", "cat", "/etc/greeting").check().stdout == f"{GREETING}\n"
    assert "it began" in engine("logs", "kola-one").check().stdout
    engine("rm", "-f", "kola-one").check()
    assert "kola-one" not in engine("ps", "-a", "--format", "{{.Names}}").check().lines


_LIMITS_SHOWN = (
    "cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max cpu.max pids.max; else "
    "cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us pids/pids.max; fi"
)
"""The same four numbers in the unified hierarchy of cgroups and in the older one, openEuler's default."""


def cgroup_version(machine: Machine) -> str:
    """Return `2` for the unified hierarchy of cgroups, `1` for the older one."""
    kind = machine.run("stat -fc %T /sys/fs/cgroup").check().stdout.strip()
    return "2" if kind == "cgroup2fs" else "1"


def check_resources(engine: Engine) -> None:
    """Check that limits of memory, CPU and processes reach the container's cgroup, and hold."""
    fork = "for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done; echo all"
    limits = ("--memory", "64m", "--cpus", "0.5", "--pids-limit", "20")
    shown = engine.shell(f"{_LIMITS_SHOWN}; {fork}", *limits).check()
    assert shown.stdout.split() == ["67108864", "50000", "100000", "20", "all"]
    refused = engine.shell(fork, "--pids-limit", "4")
    assert "all" not in refused.stdout, "more processes than allowed could start"


def check_volumes(engine: Engine) -> None:
    """Check that directories of the host and named volumes are shared, and read-only ones cannot be
    written.
    """
    engine.machine.run(
        "mkdir -p /var/lib/kola-bind && echo mine > /var/lib/kola-bind/file", sudo=True
    ).check()
    engine("volume", "create", "kola-volume").check()
    bind = "/var/lib/kola-bind"
    shared = ("-v", f"{bind}:/data:z", "-v", f"{bind}:/readable:ro,z", "-v", "kola-volume:/volume")
    script = "cat /readable/file; echo more >> /data/file; echo kept > /volume/file; echo no > /readable/file"
    refused = engine.shell(script, *shared)
    assert refused.stdout == "mine\n", refused
    assert not refused.ok, "a container wrote into a directory that it was given read-only"
    said = refused.stderr.strip()
    assert "Read-only file system" in said, f"it could not write for another reason: {said}"
    assert engine.machine.file(f"{bind}/file").text == "mine\nmore\n"
    assert engine.shell("cat /data/file", "-v", "kola-volume:/data").check().stdout == "kept\n"
    engine("volume", "rm", "kola-volume").check()


def check_published_port(engine: Engine) -> None:
    """Check that a port published by the new container `kola-server` answers on the host."""
    engine.daemon("kola-server", *FROM_THE_HOST, "-p", f"{PORT}:{PORT}", command=SERVER)

    def answer() -> str | None:
        # The server may still be starting.
        return engine.machine.run(["timeout", "10", "bash", "-c", ASK % "127.0.0.1"]).stdout or None

    heard = engine.machine.poll(answer, timeout=30, step="waiting for the published port")
    assert heard == f"{GREETING}\n"


def check_network(engine: Engine) -> None:
    """Check that a published port answers, a container reaches another, and one without network reaches
    none.
    """
    check_published_port(engine)
    inspected = json.loads(engine("inspect", "kola-server").check().stdout)[0]["NetworkSettings"]
    address = inspected["IPAddress"] or next(iter(inspected["Networks"].values()))["IPAddress"]
    assert engine.shell(ASK % address, network=True).check().stdout == f"{GREETING}\n"
    alone = engine.shell("ls /sys/class/net").check()
    interfaces = alone.stdout.split()
    assert interfaces == ["lo"], f"a container without network has {', '.join(interfaces)}"
    engine("rm", "-f", "kola-server").check()


def check_names(engine: Engine) -> None:
    """Check that a container gets an answer from the server that its host asks for names."""
    asked = engine.shell(f"getent ahostsv4 {NAME}; cat /etc/resolv.conf", *FROM_THE_HOST, network=True)
    assert ADDRESS in asked.stdout, f"a container does not get the address of {NAME}: {asked}"


def check_workflow(engine: Engine) -> None:
    """Check that an image is built from another, run, changed, committed, saved, removed and loaded again."""
    machine = engine.machine
    script = 'FROM {image}\nCOPY note /etc/note\nRUN touch /etc/built\nCMD ["cat", "/etc/note"]\n'
    machine.run(["mkdir", "-p", "/var/tmp/kola-build"]).check()
    machine.put_bytes(script.format(image=IMAGE).encode(), "/var/tmp/kola-build/Dockerfile")
    machine.put_bytes(b"built\n", "/var/tmp/kola-build/note")
    engine("build", *ALONE, "-t", "localhost/kola/built", "/var/tmp/kola-build").check()
    assert engine("run", "--rm", *ALONE, "localhost/kola/built").check().stdout == "built\n"
    engine(
        "run",
        "--name",
        "kola-changed",
        *ALONE,
        "localhost/kola/built",
        "sh",
        "-c",
        "echo changed > /etc/note",
    ).check()
    engine("commit", "kola-changed", "localhost/kola/changed").check()
    engine("rm", "kola-changed").check()
    engine("save", "-o", "/var/tmp/kola-changed.tar", "localhost/kola/changed").check()
    engine("rmi", "localhost/kola/changed").check()
    assert "localhost/kola/changed" not in engine("images").check().stdout
    engine("load", "-i", "/var/tmp/kola-changed.tar").check()
    shown = (
        engine("run", "--rm", *ALONE, "localhost/kola/changed", "cat", "/etc/note", "/etc/greeting")
        .check()
        .stdout
    )
    assert shown == f"changed\n{GREETING}\n"
