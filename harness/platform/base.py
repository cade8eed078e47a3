"""The platform protocol: everything that a hypervisor's implementation provides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.ignition import IgnitionConfig
from harness.machine.boot import DiskImage
from harness.machine.instance import Instance
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.platform.templates import Templates
from harness.util.deadline import Deadline

SCALE_VARIABLE = "KOLA_DEADLINE_SCALE"
"""Environment variable with the factor of deadlines. A run sets it for its workers; users may set it, too."""

TPM = "swtpm"
"""Name, in `Missing`, of the program that gives machines a TPM."""


@dataclass(frozen=True)
class Missing:
    """Something that the host lacks, and how to get it. Without an `essential` one no machine runs."""

    name: str
    hint: str
    essential: bool = True


@dataclass(frozen=True)
class Capacity:
    """Resources of the machines' host: bytes of memory in all and available now, and CPUs.

    `promised_memory` are the bytes of the available ones that running machines have been promised and not
    taken yet, whoever runs them. `busy_cpus` are virtual CPUs of others' machines.
    """

    total_memory: int
    available_memory: int
    cpus: int
    promised_memory: int = 0
    busy_cpus: int = 0


@dataclass(frozen=True)
class ServiceNetwork:
    """Addresses at which guests reach services of this process: one for each TCP service, one for TFTP.

    `prefix` is the first three bytes of the addresses, with a dot at the end.
    """

    prefix: str
    tftp_address: str


USER_NETWORK = ServiceNetwork(prefix="10.0.2.", tftp_address="10.0.2.2")
"""QEMU's user-mode network, the default for services. Tests know these addresses."""


class PrivateNetwork(Protocol):
    """A network that connects a few machines and nothing else."""

    def connect(self, machines: Sequence[Machine]) -> None:
        """Give each machine a NIC, an address and a name on this network, and tell every machine all names.

        The settings survive reboots. Raises what Machine.run raises, DeadlineExceeded.
        """
        ...

    def close(self) -> None: ...


class Platform(Protocol):
    """A hypervisor for machines of one architecture, here or on another host."""

    @property
    def name(self) -> str: ...

    @property
    def arch(self) -> str: ...

    @property
    def scale(self) -> float:
        """The factor of deadlines: 1 where guests run at full speed."""
        ...

    @property
    def note(self) -> str:
        """A note about the accelerator, one line, when it is not the fastest; else empty."""
        ...

    @property
    def templates(self) -> Templates | None:
        """Frozen machines to clone; None when the platform cannot freeze machines."""
        ...

    def check_host(self) -> list[Missing]:
        """Return the things that the host lacks. Fast: starts no guest."""
        ...

    def launch(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
    ) -> Instance:
        """Power on a machine. `ignition` is a config, raw bytes that are passed unchanged, or None.

        The caller closes the instance. Raises ConfigError, InfrastructureError.
        """
        ...

    def refuses(self, spec: MachineSpec) -> str:
        """Return the reason why this platform cannot run such a machine at all; empty when it can.

        Raises InfrastructureError when the machines' host does not answer.
        """
        ...

    def why_not_clone(self, spec: MachineSpec) -> str:
        """Return the reason why such a machine cannot be frozen and cloned; empty when it can."""
        ...

    def private_network(self) -> PrivateNetwork:
        """Return a new network, which the caller closes. Not for platforms whose machines cannot have one."""
        ...

    def why_not_connect(self) -> str:
        """Return the reason why machines cannot have a private network; empty when they can."""
        ...

    def capacity(self) -> Capacity:
        """Return the current resources of the machines' host.

        Raises InfrastructureError `host-lost` when it does not answer.
        """
        ...

    def resident_memory(self, owners: Iterable[int]) -> Mapping[int, int]:
        """Bytes of the host's memory that `capacity` counts as taken or promised for the machines of each
        process of ours (a pid).
        """
        ...

    @property
    def place(self) -> str:
        """The name of the machines' host, as far as its memory and CPUs go; empty for this host."""
        ...

    @property
    def lost(self) -> str:
        """The reason why the machines' host cannot be used any more; empty as long as it answers."""
        ...

    def reconnect(self) -> None:
        """Reach a lost host again. Raises InfrastructureError `host-lost`."""
        ...

    def prepare(self, image: DiskImage, tell: Callable[[str], None]) -> None:
        """Have the image at the machines' host before the first one starts. Progress goes to `tell`.

        Raises InfrastructureError.
        """
        ...

    def service_network(self) -> ServiceNetwork:
        """Return the addresses at which a guest reaches services of this process."""
        ...
