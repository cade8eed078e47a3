"""A plan as small as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.machine.sessions import Access
from harness.machine.ssh import SshKey
from kola.run.plan import RunPlan

_KEY = SshKey("private", "ssh-ed25519 AAAA comment")


def a_plan(directory: Path, **changes: Any) -> RunPlan:
    words: dict[str, Any] = {
        "output": directory / "out",
        "image": directory / "image.qcow2",
        "image_format": "qcow2",
        "image_identity": "identity",
        "build_id": "1",
        "build_directory": None,
        "platform": "qemu",
        "arch": "x86_64",
        "distro_name": "nestos",
        "access": Access("nest", _KEY, _KEY),
    }
    return RunPlan(**(words | changes))
