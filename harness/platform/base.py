"""What every platform can do, and how a machine is brought up on one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.ignition import IgnitionConfig
from harness.machine.instance import Instance
from harness.machine.spec import MachineSpec
from harness.util.deadline import Deadline


class Platform(Protocol):
    """Starts guests. `scale` is what deadlines are multiplied by here."""

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> float: ...

    def launch(
        self,
        spec: MachineSpec,
        ignition: IgnitionConfig | bytes | None,
        *,
        directory: Path,
        deadline: Deadline,
    ) -> Instance:
        """Power on, with a config, with bytes given as they are, or with none.

        The caller closes the instance. Raises ConfigError, InfrastructureError.
        """
        ...
