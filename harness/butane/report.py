"""Findings about a Butane document, each with its path and line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath

from harness.errors import ConfigError
from harness.ignition.findings import Finding, Path, Severity, dotted, errors_of


class Report:
    """A collector of findings. `lines` maps the path of every value in the document to its line."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self._findings: list[Finding] = []
        self._tolerated: list[Finding] = []

    def error(self, path: Path, message: str) -> None:
        self._add(Severity.ERROR, path, message)

    def warning(self, path: Path, message: str) -> None:
        self._add(Severity.WARNING, path, message)

    def tolerate(self, path: Path, message: str) -> None:
        """Warn of a deviation that we accept, though the spec does not."""
        self._tolerated.append(self._add(Severity.WARNING, path, message))

    def add(self, finding: Finding, path: Path) -> None:
        """Add a finding about the result, located at its origin in the document."""
        self._add(finding.severity, path, finding.message)

    def line_of(self, path: Path) -> int | None:
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def warnings(self) -> tuple[Finding, ...]:
        found = (finding for finding in self._findings if not finding.is_error)
        return tuple(sorted(found, key=lambda finding: finding.line or 0))

    def tolerated(self) -> tuple[Finding, ...]:
        return tuple(self._tolerated)

    def raise_errors(self, source: FilePath | None, *, strict: bool = False) -> None:
        """Raise one ConfigError that names every error; with `strict`, every warning too."""
        wrong = self._findings if strict else errors_of(self._findings)
        if wrong:
            raise as_config_error(wrong, source)

    def _add(self, severity: Severity, path: Path, message: str) -> Finding:
        finding = Finding(severity, dotted(path), message, self.line_of(path))
        if finding not in self._findings:
            self._findings.append(finding)
        return finding


def as_config_error(findings: Iterable[Finding], source: FilePath | None) -> ConfigError:
    ordered = sorted(findings, key=lambda finding: finding.line or 0)
    first = ordered[0]
    if len(ordered) == 1:
        return ConfigError(f"{first.path}: {first.message}", file=source, line=first.line)
    lines = "".join(f"\n  {finding}" for finding in ordered)
    return ConfigError(f"{len(ordered)} things are wrong:{lines}", file=source, line=first.line)
