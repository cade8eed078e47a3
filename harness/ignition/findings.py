"""Findings of a config check, with their place in the document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str | int, ...]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """An error or warning. `path` looks like `$.storage.files.0.mode`; `line` counts from 1 if known."""

    severity: Severity
    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.path}, line {self.line}" if self.line is not None else self.path
        return f"{self.severity} at {where}: {self.message}"

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


def dotted(path: Path) -> str:
    return ".".join(("$", *(str(part) for part in path)))


def undotted(path: str) -> Path:
    """Return the inverse of `dotted` for keys of a config, which contain no dots."""
    return tuple(int(part) if part.isdigit() else part for part in path.split(".")[1:])


def error(path: Path, message: str, line: int | None = None) -> Finding:
    return Finding(Severity.ERROR, dotted(path), message, line)


def warning(path: Path, message: str, line: int | None = None) -> Finding:
    return Finding(Severity.WARNING, dotted(path), message, line)


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.is_error)
