"""The errors of this project, classified by who has to act on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.util.quote import printable, shortened


class HarnessError(Exception):
    """Base of all deliberate errors. `str()` gives a message for the user."""


class ConfigError(HarnessError):
    """Raised when the user's input is wrong. Ends in exit code 2, never in a traceback.

    `hint` says how to correct it.
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
        return self.described()

    def described(self, hint: str = "hint", *, say: Callable[[str], str] = str) -> str:
        """Return the message with file, line and hint; `hint` is the word before the latter, and `say`
        translates.
        """
        where = ""
        if self.file is not None:
            name = shortened(printable(str(self.file)))
            where = f"{name}:{self.line}: " if self.line is not None else f"{name}: "
        tail = f"\n  {hint}: {say(self.hint)}" if self.hint else ""
        return f"{where}{say(self.message)}{tail}"


class InfrastructureError(HarnessError):
    """Raised when QEMU, the host or the connection to the guest failed, not the system under test.

    `cause` is a short stable name (`qemu-exited`, `no-memory`); `evidence` holds the last lines seen.
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
    """Raised when the guest itself misbehaved: a panic, an emergency shell, a failed unit.

    `cause` is the check's stable name, by which a test opts out.
    """

    def __init__(self, cause: str, message: str, *, evidence: str = "") -> None:
        self.cause = cause
        self.message = message
        self.evidence = evidence
        super().__init__(message)

    def __str__(self) -> str:
        tail = f"\n{self.evidence.rstrip()}" if self.evidence else ""
        return f"{self.cause}: {self.message}{tail}"


class DeadlineExceeded(HarnessError):
    """Raised when time ran out. Holds the step, its duration in seconds and the last state seen."""

    def __init__(self, step: str, *, seconds: float, last_seen: str = "") -> None:
        self.step = step
        self.seconds = seconds
        self.last_seen = last_seen
        super().__init__(step)

    def __str__(self) -> str:
        tail = f"; last seen: {self.last_seen}" if self.last_seen else ""
        return f"timed out after {self.seconds:.0f} s while {self.step}{tail}"
