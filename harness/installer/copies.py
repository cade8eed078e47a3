"""Copies of an image with changed bytes, for programs that read no overlay. The image is never written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.machine.boot import Overwrite
from harness.util.process import run_tool


def copy_with(image: Path, changes: Iterable[Overwrite], target: Path) -> Path:
    """Copy the image to a plain file at `target` and apply the changes.

    Uses a reflink where the file system can.
    """
    run_tool(["cp", "--reflink=auto", "--sparse=auto", str(image), str(target)], timeout=300)
    target.chmod(0o644)
    apply(target, changes)
    return target


def apply(file: Path, changes: Iterable[Overwrite]) -> None:
    """Change the bytes of a file of our own."""
    with file.open("r+b") as opened:
        for change in changes:
            opened.seek(change.offset)
            opened.write(change.data)
