"""Atomic writing of reports: a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InfrastructureError


def write_text(path: Path, text: str) -> None:
    """Replace `path` with `text` in UTF-8. Bytes of a guest that are not text become escapes."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise InfrastructureError(
            f"cannot write the report {path}: {error.strerror}", cause="report-unwritable"
        ) from error


def write_json(path: Path, data: Mapping[str, Any], *, indent: int | None = None) -> None:
    """Replace `path` with `data` as JSON. A lone surrogate becomes `\\udcXX`, which JSON readers know."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=indent) + "\n")
