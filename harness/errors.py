"""The failures of this project, kept apart by who has to act on them."""

from __future__ import annotations

from pathlib import Path


class HarnessError(Exception):
    """Base of every error raised on purpose; `str()` of it is fit for a person."""


class ConfigError(HarnessError):
    """The user's input is wrong. Ends in exit code 2, never in a traceback.

    `hint` says what to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.message = message
        self.file = Path(file) if file is not None else None
        self.line = line
        self.hint = hint
        super().__init__(message)

    def __str__(self) -> str:
        where = ""
        if self.file is not None:
            where = f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: "
        tail = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{where}{self.message}{tail}"


class InfrastructureError(HarnessError):
    """QEMU, the host or the way to the guest failed: the test never got what it was promised.

    `cause` is a short stable name (`qemu-exited`, `no-memory`), `evidence` the last lines seen.
    """

    def __init__(self, message: str, *, cause: str, evidence: str = "") -> None:
        self.message = message
        self.cause = cause
        self.evidence = evidence
        super().__init__(message)

    def __str__(self) -> str:
        tail = f"\n{self.evidence.rstrip()}" if self.evidence else ""
        return f"{self.message}{tail}"


class MachineFailure(HarnessError):
    """The guest itself misbehaved: a panic, an emergency shell, a failed unit.

    `name` is the check's stable name, the one a test may opt out of.
    """

    def __init__(self, name: str, message: str, *, evidence: str = "") -> None:
        self.name = name
        self.message = message
        self.evidence = evidence
        super().__init__(message)

    def __str__(self) -> str:
        tail = f"\n{self.evidence.rstrip()}" if self.evidence else ""
        return f"{self.name}: {self.message}{tail}"


class DeadlineExceeded(HarnessError):
    """Time ran out. Says during which step, after how long, and what was seen last."""

    def __init__(self, step: str, *, seconds: float, last_seen: str = "") -> None:
        self.step = step
        self.seconds = seconds
        self.last_seen = last_seen
        super().__init__(step)

    def __str__(self) -> str:
        tail = f"; last seen: {self.last_seen}" if self.last_seen else ""
        return f"timed out after {self.seconds:.0f} s while {self.step}{tail}"
