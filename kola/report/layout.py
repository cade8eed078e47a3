"""Names inside an output directory, as kola's users know them."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

REPORTS = "reports"
REPORT_FILE = "report.json"
JUNIT_FILE = "junit.xml"
TAP_FILE = "test.tap"
PROPERTIES_FILE = "properties.json"
EVENTS_FILE = "events.jsonl"
RERUN = "rerun"
VERIFY = "verify-clones"
MARKER = ".harness_temp"
"""The file that marks, for the Go kola and for us, a directory that may be erased."""

_RESERVED = frozenset({REPORTS, TAP_FILE, PROPERTIES_FILE, EVENTS_FILE, RERUN, VERIFY, MARKER})
_UNSAFE = re.compile(r"[^\w.+@=#\[\]-]")
_LONGEST = 160


def directory_of_test(name: str) -> PurePosixPath:
    """Return a test's directory relative to the output directory; a `/` in its name makes a subdirectory.

    The result cannot lead outside, hide a file of ours, or break a command line. A name that had to be
    changed gets a piece of its hash, so that two tests never share a directory.
    """
    parts = [_safe_part(part) for part in name.split("/") if part] or ["_"]
    if parts[0] in _RESERVED:
        parts[0] = f"_{parts[0]}"
    if "/".join(parts) != name:
        parts[-1] = f"{parts[-1]}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"
    return PurePosixPath(*parts)


def _safe_part(part: str) -> str:
    safe = _UNSAFE.sub("_", part)
    if safe.startswith((".", "-")):
        safe = "_" + safe[1:]
    while len(safe.encode()) > _LONGEST:
        safe = safe[:-1]
    return safe
