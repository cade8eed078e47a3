"""A libvirt daemon as the host of machines: its connection, security models, proof, and names."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from functools import cached_property
from typing import Any
from xml.etree import ElementTree

from harness.errors import InfrastructureError
from harness.machine.incidents import HOST_LOST
from harness.machine.route import SshRoute
from harness.machine.spec import MachineSpec
from harness.platform.hosts import HostEntry
from harness.platform.libvirt import far, refusals, remote
from harness.platform.libvirt.connection import Connection, connect, lost
from harness.platform.libvirt.domain import Labels
from harness.platform.libvirt.library import (
    check_uri,
    is_gone,
    is_local,
    is_session,
    jump_host,
    load,
    text_of,
    translated,
)
from harness.platform.libvirt.owners import PREFIX, Owner, end, reap, this_process
from harness.platform.libvirt.proof import Proof, prove
from harness.platform.libvirt.volumes import Store, directory_for
from harness.platform.templates import templates_home

_UNREADABLE = "Cannot access storage file"
_NUMBERS = re.compile(r"\+(\d+):\+(\d+)")


class LibvirtHost:
    """The daemon of one host. With a `local` one, machines share files with this process."""

    def __init__(self, entry: HostEntry, *, network: str = "") -> None:
        check_uri(entry.uri)
        self.entry = entry
        self.uri = entry.uri
        self.local = is_local(entry.uri)
        self.network = network
        self._numbers = itertools.count(1)
        self._reaped: Connection | None = None
        self._store: tuple[Connection, Store] | None = None

    @cached_property
    def owner(self) -> Owner:
        return this_process()

    def connection(self) -> Connection:
        """Return the connection, opened if need be; what dead processes left is then removed.

        So are the domains of this process that were there when an earlier connection was lost.

        Raises ConfigError without the library, InfrastructureError `host-lost`.
        """
        found = connect(self.uri)
        if found is not self._reaped:
            left = () if self._reaped is None else self._reaped.left
            with translated("looking for machines that dead runs left"):
                end(found.handle, load(), left)
                reap(found.handle, load())
            self._reaped = found
        return found

    @property
    def lost(self) -> str:
        """The reason why the connection ended, and was not opened again; empty otherwise."""
        return lost(self.uri)

    @cached_property
    def place(self) -> str:
        """A name for the host's memory and CPUs, the same for all daemons there; empty for this host."""
        if self.local:
            return ""
        uuid = ElementTree.fromstring(self.capabilities).findtext("./host/uuid")
        with translated("asking for its host name"):
            return f"{self.connection().handle.getHostname()} {uuid}"

    def new_name(self) -> str:
        """Return the name of the next domain."""
        return f"{PREFIX}{self.owner.run}-{next(self._numbers):02d}"

    @cached_property
    def capabilities(self) -> str:
        """The daemon's capabilities (libvirt: formatcaps)."""
        with translated("asking what it can do"):
            return str(self.connection().handle.getCapabilities())

    @cached_property
    def version(self) -> int:
        """The daemon's version: 1,000,000 × major + 1,000 × minor + release."""
        with translated("asking its version"):
            return int(self.connection().handle.getLibVersion())

    @cached_property
    def labels(self) -> Labels:
        """The labels of machines: a system daemon starts QEMU as this user, and leaves all files alone.

        On another host QEMU runs as the user that is usual there, who owns its files.
        """
        found = labels_for(self.capabilities)
        return found if self.local else replace(found, run_as=None)

    def store(self) -> Store:
        """Return the files on the host, for one that is not this one. Raises ConfigError,
        InfrastructureError.
        """
        connection = self.connection()
        if self._store is None or self._store[0] is not connection:
            directory = directory_for(is_session(self.uri), self.entry.directory)
            made = Store(connection.handle, directory, usual_user(self.capabilities))
            if self._store is not None:
                made.finish(self._store[1], self.owner.token)
            made.reap()
            far.reap(made, templates_home())
            self._store = connection, made
        return self._store[1]

    def route(self, address: str, port: int) -> SshRoute:
        """Return the route to an address as that host sees it."""
        jump = jump_host(self.entry)
        if jump is None:
            return SshRoute(address, port)
        return SshRoute(address, port, jump.destination, jump.options)

    @cached_property
    def domain_capabilities(self) -> str:
        """The devices and firmware that domains can have (libvirt: formatdomaincaps)."""
        with translated("asking what machines can have"):
            handle = self.connection().handle
            return str(handle.getDomainCapabilities(None, "x86_64", "q35", "qemu", 0))

    @cached_property
    def proof(self) -> Proof:
        store = None if self.local else self.store()
        return prove(self.connection(), self.labels, self.owner, store)

    def refuses(self, spec: MachineSpec) -> str:
        """Return the reason why the daemon cannot run such a machine; empty when it can."""
        if self.network and spec.network:
            reason = refusals.on_network(spec)
            if reason:
                return reason
        if not self.local:
            reason = remote.obstacle(spec, self.domain_capabilities)
            if not reason and is_session(self.uri):
                reason = remote.too_long(self.entry.directory)
            if reason:
                return reason
        may_spawn = not spec.reachable.forwards or self.proof.may_spawn
        return refusals.obstacle(spec, may_spawn=may_spawn)

    def not_started(self, error: Any, said: str) -> InfrastructureError:
        """Return the error for a domain that libvirt did not start."""
        text = text_of(error)
        if is_gone(error):
            return InfrastructureError(
                f"libvirt no longer answers while starting a machine: {text}", cause=HOST_LOST
            )
        if _UNREADABLE in text:
            text += " (QEMU runs as this user, and must be able to read the image)"
        return InfrastructureError(f"libvirt did not start QEMU: {text}", cause="qemu-exited", evidence=said)


def usual_user(capabilities: str) -> tuple[int, int] | None:
    """Return the numbers of the user as whom QEMU runs on that host (libvirt: formatcaps, baselabel)."""
    for model in ElementTree.fromstring(capabilities).findall("./host/secmodel"):
        if model.findtext("model") == "dac":
            found = _NUMBERS.fullmatch(model.findtext("baselabel") or "")
            return (int(found[1]), int(found[2])) if found else None
    return None


def labels_for(capabilities: str) -> Labels:
    """Return the labels for a host with these capabilities. A pure function of them and of this user.

    Only a daemon of root's has the model `dac`, by which it changes files' owners. It serves `/session`, too.
    """
    found = ElementTree.fromstring(capabilities).findall("./host/secmodel/model")
    models = [model.text or "" for model in found]
    return Labels(
        run_as=(os.geteuid(), os.getegid()) if "dac" in models else None,
        unconfined=tuple(model for model in models if model in ("apparmor", "selinux")),
    )
