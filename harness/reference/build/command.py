"""Execution of the programs that a build needs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import InfrastructureError

# A user's PATH may lack the directories of programs for root.
SEARCH_PATH = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"

# util-linux. The kernel ends a process namespace with its first process, and undoes a mount namespace with
# its last. So a killed build leaves no dpkg running and no /proc and /sys mounted in a directory that the
# next build removes.
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
_NAMESPACES = ("unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child=KILL")


def run(
    argv: Sequence[str | Path],
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    for_the_host: bool = False,
) -> str:
    """Run a program and return its stdout. When it fails, its last lines are the error's evidence.

    Its children and mounts end with it, or when we are killed, unless it is `for_the_host`. Users other than
    root cannot mount: then only the program itself dies with us.
    """
    words = [str(word) for word in argv]
    around: tuple[str, ...] = ()
    if not for_the_host:
        around = (*_DIES_WITH_US, *_NAMESPACES) if os.geteuid() == 0 else _DIES_WITH_US
    result = subprocess.run(
        [*around, *words],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
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
