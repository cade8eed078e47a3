"""Which files of a machine's directory belong into a report, with their titles and media types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TEXT = "text/plain"
JSON = "application/json"
PNG = "image/png"


@dataclass(frozen=True)
class Attachment:
    """One file for JUnit, Allure or HTML."""

    path: Path
    title: str
    media_type: str


_KNOWN = {
    "console.txt": ("Serial console", TEXT),
    "journal.txt": ("Journal", TEXT),
    "ignition.json": ("Ignition config", JSON),
    "qemu-command.txt": ("QEMU command line", TEXT),
    "ignition-virtio-dump.txt": ("Journal of the initramfs", TEXT),
    "screenshot.png": ("Screen", PNG),
}


def attachments(machine_dir: Path) -> tuple[Attachment, ...]:
    """What to attach of one machine, the most telling first; files that are absent or empty are not.

    Any other .txt file is the output of an external test and is titled by its name.
    """
    if not machine_dir.is_dir():
        return ()
    known = [
        Attachment(machine_dir / name, title, media_type) for name, (title, media_type) in _KNOWN.items()
    ]
    others = [
        Attachment(file, f"Output of {file.stem}", TEXT)
        for file in sorted(machine_dir.glob("*.txt"))
        if file.name not in _KNOWN
    ]
    return tuple(found for found in (*known, *others) if _has_content(found.path))


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
