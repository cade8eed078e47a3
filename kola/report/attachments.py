"""The files of a machine's directory that reports attach, with their titles and media types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from kola.report.layout import directory_of_test
from kola.report.result import TestResult

TEXT = "text/plain"
JSON = "application/json"
XML = "application/xml"


@dataclass(frozen=True)
class Attachment:
    """A file for JUnit, Allure or HTML."""

    path: Path
    title: str
    media_type: str


_KNOWN = {
    "console.txt": ("Serial console", TEXT),
    "journal.txt": ("Journal", TEXT),
    "ignition.json": ("Ignition config", JSON),
    "qemu-command.txt": ("QEMU command line", TEXT),
    "domain.xml": ("libvirt domain", XML),
    "ignition-virtio-dump.txt": ("Journal of the initramfs", TEXT),
}


def attachments(machine_dir: Path) -> tuple[Attachment, ...]:
    """Return the attachments of one machine, the most useful first, without absent or empty files.

    Any other .txt file is the output of an external test; its title is its name.
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


def attachments_of(output_dir: Path, test: TestResult) -> tuple[Attachment, ...]:
    """Return the files of all machines of a test, then the logs of its services."""
    several = len(test.machines) > 1
    found = [
        replace(one, title=f"{one.title} ({machine.name[:8]})") if several else one
        for machine in test.machines
        for one in attachments(output_dir / machine)
    ]
    logs = sorted((output_dir / directory_of_test(test.name) / "services").glob("*"))
    found += [Attachment(log, f"Log of the service {log.stem}", TEXT) for log in logs if _has_content(log)]
    return tuple(found)


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0
