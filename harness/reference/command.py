"""Running the programs a build needs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import InfrastructureError

# A user's PATH may lack the directories of what only root runs.
SEARCH_PATH = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run one program and return its stdout; when it fails its last lines are the error's evidence."""
    words = [str(word) for word in argv]
    result = subprocess.run(
        words,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8", "PATH": SEARCH_PATH, **(env or {})},
    )
    if result.returncode != 0:
        raise InfrastructureError(
            f"{words[0]} failed with status {result.returncode} while building the reference OS",
            cause="reference-build-failed",
            evidence="\n".join([" ".join(words)[:400], *(result.stderr or result.stdout).splitlines()[-25:]]),
        )
    return result.stdout
