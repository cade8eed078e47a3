"""The time, and entropy of its own: a resumed guest gets both before its test starts."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

from harness.errors import InfrastructureError
from harness.machine.ssh import Completed

READ_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_SEED_BYTES = 64


@dataclass(frozen=True)
class Arrival:
    """Set by the first command, which root runs. `boot_id` is that of the boot which was frozen.

    `now` are epoch seconds; None means those at which the command is sent.
    """

    boot_id: str
    seed: bytes = field(repr=False)
    now: float | None = None

    @classmethod
    def new(cls, boot_id: str) -> Arrival:
        return cls(boot_id, os.urandom(_SEED_BYTES))

    def before(self, line: str = "") -> str:
        """Return a shell line that does it, and then `line`.

        It reads the seed from its input, and prints the boot id as the first line of its output.
        """
        now = time.time() if self.now is None else self.now
        steps = [
            READ_BOOT_ID,
            f"date -s @{now:.3f} >/dev/null",
            f"head -c {len(self.seed)} >/dev/urandom",
        ]
        return "; ".join([*steps, line] if line else steps)

    def output(self, done: Completed) -> str:
        """Return the output of `line`.

        Raises InfrastructureError `clone-mismatch` when the guest is not in the boot that was frozen, or
        nothing of this was done.
        """
        boot_id, _, output = done.stdout.partition("\n")
        if boot_id != self.boot_id:
            found = f"has boot id {boot_id}" if boot_id else f"says nothing (status {done.status})"
            raise InfrastructureError(
                f"the clone {found} instead of boot id {self.boot_id}",
                cause="clone-mismatch",
                evidence=done.stderr[-2000:],
            )
        return output
