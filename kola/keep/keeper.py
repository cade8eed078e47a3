"""The keeper: holds machines for their lifetime, in the process in which they were started."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.machine.ssh import SshKey
from harness.platform.fleet import Fleet, Member
from harness.util.deadline import Deadline
from kola.keep.doors import Doors
from kola.keep.record import Kept, SshEntry, State
from kola.keep.register import Register
from kola.schedule.need import Need
from kola.schedule.resources import Resources

_LOOK_AGAIN = 1.0


@dataclass(frozen=True)
class Promise:
    """The properties of a machine that are known before its start."""

    build: str
    arch: str
    spec: MachineSpec
    seconds: float
    test: str = ""


class Keeper:
    """The keeper of one process.

    Machines end by `stop`, at the end of their lifetime, or with this process.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._register = Register()
        self._fleet = fleet
        self._resources = Resources(fleet)
        self._lock = threading.RLock()
        self._held: dict[str, _Held] = {}
        self._changed = threading.Condition(self._lock)

    def host_for(self, spec: MachineSpec, count: int) -> Member:
        """Return the host with most room for so many machines like this one.

        Raises InfrastructureError `no-room` when no host has room for them, ConfigError when all refuse them.
        """
        platforms = {member.key: member.platform for member in self._fleet.usable()}
        reasons = {
            key: platform.refuses(spec) or (platform.why_not_connect() if count > 1 else "")
            for key, platform in platforms.items()
        }
        if reasons and all(reasons.values()):
            raise ConfigError(next(iter(reasons.values())), hint="such machines run with -p qemu")
        refusing = frozenset(key for key, reason in reasons.items() if reason)
        label = "a group of machines"
        refusal = self._resources.take(label, Need.of(spec, count), refusing)
        if refusal is not None:
            raise InfrastructureError(f"no room: {refusal.reason}", cause="no-room")
        key = self._resources.host_of(label)
        self._resources.release(label)
        assert key is not None  # just taken
        return self._fleet.member(key)

    def promise(
        self, count: int, promise: Promise, *, host: Member | None = None, must_fit: bool = True
    ) -> list[Kept]:
        """Register `count` machines that are about to be started, each with a directory of its own.

        They run on `host`, or on any. Raises InfrastructureError `no-room` when the host has no memory for
        them and they `must_fit`.
        """
        now = time.time()

        def make(name: str, home: Path) -> Kept:
            return Kept(
                name=name,
                pid=self._register.pid,
                started=now,
                ends=now + promise.seconds,
                home=home,
                build=promise.build,
                arch=promise.arch,
                memory_mib=promise.spec.memory_mib,
                test=promise.test,
                host=host.name if host is not None else "",
            )

        others = frozenset(one.key for one in self._fleet.members if host is not None and one.key != host.key)
        machines = self._register.add(count, make)
        for machine in machines:
            refusal = self._resources.take(f"machine {machine.name}", Need.of(promise.spec), others)
            if refusal is not None and must_fit:
                self.abandon(machines)
                raise InfrastructureError(f"no room for {machine.name}: {refusal.reason}", cause="no-room")
        return machines

    def hold(self, kept: Kept, machine: Machine) -> Kept:
        """Keep the machine until it is stopped, its lifetime ends, or its guest powers off."""
        running = kept.model_copy(
            update={
                "state": State.RUNNING,
                "how": machine.how,
                "logs": machine.directory.absolute(),
                "ssh": _entry(kept, machine) if machine.instance.spec.network else None,
            }
        )
        doors = Doors(machine, kept.control, kept.console, stop=lambda: self.stop(kept.name))
        with self._lock:
            self._held[kept.name] = _Held(running, machine, doors)
        self._register.update(running)
        threading.Thread(target=self._watch, args=[running, machine], name=kept.name, daemon=True).start()
        return running

    def abandon(self, machines: list[Kept]) -> None:
        """Forget machines that were never held."""
        for machine in machines:
            self._forget(machine.name)

    def stop(self, name: str) -> None:
        """End a machine and remove all its files. May be called again."""
        with self._changed:
            held = self._held.get(name)
            if held is not None:
                held.machine.close()
                held.doors.close()
                self._forget(name)
                del self._held[name]
                self._changed.notify_all()

    def stop_all(self) -> None:
        with self._lock:
            for name in list(self._held):
                self.stop(name)

    def close(self) -> None:
        """End every machine and leave the register."""
        self.stop_all()
        self._register.close()
        self._resources.close()

    @property
    def names(self) -> list[str]:
        """Return the names of the machines that are held now."""
        with self._lock:
            return list(self._held)

    def wait(self, until: Callable[[], bool] = lambda: False) -> None:
        """Wait until no machine is left, or `until` returns True; it is called once a second."""
        with self._changed:
            while self._held and not until():
                self._changed.wait(_LOOK_AGAIN)

    def _watch(self, kept: Kept, machine: Machine) -> None:
        """End the machine with its lifetime, or once its hypervisor has ended or its host is lost."""
        with contextlib.suppress(DeadlineExceeded, InfrastructureError):
            machine.instance.wait_exit(Deadline(max(0.0, kept.ends - time.time())))
        self.stop(kept.name)

    def _forget(self, name: str) -> None:
        self._register.remove(name)
        self._resources.release(f"machine {name}")


@dataclass(frozen=True)
class _Held:
    kept: Kept
    machine: Machine
    doors: Doors


def _entry(kept: Kept, machine: Machine) -> SshEntry:
    """Return the SSH access, with the key and the host key in files of the machine's directory."""
    access, route = machine.access, machine.instance.ssh_route
    key, hosts = kept.home / "key", kept.home / "known_hosts"
    _write_secret(key, access.key)
    if access.host_key is not None:
        hosts.write_text(f"{kept.name} {' '.join(access.host_key.public.split()[:2])}\n", encoding="utf-8")
    return SshEntry(
        address=route.address,
        port=route.port,
        user=access.user,
        key_file=key,
        known_hosts=hosts if access.host_key is not None else None,
        jump_host=route.jump_host,
        jump_options=route.jump_options,
    )


def _write_secret(path: Path, key: SshKey) -> None:
    path.touch(mode=0o600)
    path.write_text(key.private, encoding="utf-8")
