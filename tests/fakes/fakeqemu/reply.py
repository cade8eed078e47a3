"""The answer of a command in the guest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reply:
    """Output is sent after `delay` seconds; `size` more bytes follow it (-1: without end); `hang`
    never exits. `then` is an action of the guest, taken when all that is done."""

    status: int = 0
    stdout: str | bytes = ""
    stderr: str = ""
    delay: float = 0.0
    size: int = 0
    hang: bool = False
    then: str = ""

    @property
    def output(self) -> bytes:
        return self.stdout.encode() if isinstance(self.stdout, str) else self.stdout
