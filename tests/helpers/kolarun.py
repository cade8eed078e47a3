"""Runs the `kola` command on the reference OS and reads its report."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run: exit code, output, tests by name."""

    code: int
    printed: str
    tests: dict[str, dict[str, Any]]
    output: Path

    def failed(self) -> set[str]:
        return {name for name, test in self.tests.items() if test["result"] == "FAIL"}

    def why(self, name: str) -> str:
        test = self.tests[name]
        return f"{test['kind']}: {test['cause']}: {test['reason']}"

    def end_of(self, name: str) -> float:
        """The time of a test's verdict, in seconds since the epoch."""
        lines = (self.output / "events.jsonl").read_text().splitlines()
        events = (json.loads(line) for line in lines)
        return next(
            float(event["time"]) for event in events if (event["kind"], event["test"]) == ("test-end", name)
        )


def kola_run(
    reference: Path, output: Path, *args: str, command: str = "run", timeout: float = 1200
) -> Outcome:
    """`kola COMMAND --workdir REFERENCE --output-dir OUTPUT ARGS`."""
    words = [sys.executable, "-m", "kola.cli.main", command, "--workdir", str(reference)]
    done = subprocess.run(
        [*words, "--output-dir", str(output), *args],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    printed = done.stderr + done.stdout
    report = output / "reports/report.json"
    assert report.exists(), printed
    tests = {test["name"]: test for test in json.loads(report.read_text())["tests"]}
    return Outcome(done.returncode, printed, tests, output)


def ignition(path: Path, **sections: Any) -> Path:
    """Write an Ignition config of these sections."""
    path.write_text(json.dumps({"ignition": {"version": "3.3.0"}, **sections}))
    return path
