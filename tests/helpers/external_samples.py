"""External tests made on the spot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.machine.sessions import Access
from harness.machine.ssh import SshKey
from kola.cases.external import ExternalTest, Root, discover
from kola.run.plan import RunPlan

SCRIPT = "#!/bin/sh\n## kola:\n{}true\n"


def made(
    tmp_path: Path, name: str = "alpha", *, files: dict[str, str] | None = None, **keys: Any
) -> ExternalTest:
    """An external test with this metadata in a tree below `proj`, `files` lying beside it."""
    directory = tmp_path / "proj/tests/kola" / f"dir-{name}"
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    lines = "".join(f"##   {key}: {_yaml(value)}\n" for key, value in keys.items())
    path.write_text(SCRIPT.format(lines))
    path.chmod(0o755)
    for relative, text in (files or {}).items():
        target = directory / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    found = discover([Root(directory, "ext.proj")])
    assert not found.broken, found.broken
    return next(test for test in found.tests if test.executable == path)


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(f'"{one}"' for one in value) + "]"
    return str(value)


def plan(tmp_path: Path, **keys: Any) -> RunPlan:
    fields: dict[str, Any] = {
        "output": tmp_path / "out",
        "image": tmp_path / "disk.qcow2",
        "image_format": "qcow2",
        "image_identity": "x",
        "build_id": "1",
        "build_directory": None,
        "platform": "qemu",
        "arch": "x86_64",
        "distro_name": "nestos",
        "access": Access("nest", SshKey("private", "public"), None),
    }
    return RunPlan(**(fields | keys))
