"""The parts of the Ignition config that the fake guest applies: users' keys, files from data URLs."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import unquote_to_bytes


def read(path: str | None) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    """Authorized keys by user, file contents by path."""
    if path is None:
        return {}, {}
    document = json.loads(Path(path).read_bytes())
    users = document.get("passwd", {}).get("users", [])
    keys = {user["name"]: user.get("sshAuthorizedKeys", []) for user in users}
    files = {
        entry["path"]: _content(entry.get("contents") or {})
        for entry in document.get("storage", {}).get("files", [])
    }
    return keys, files


def _content(contents: dict[str, str | None]) -> bytes:
    header, _, data = (contents.get("source") or "data:,").partition(",")
    raw = base64.b64decode(data) if header.endswith(";base64") else unquote_to_bytes(data)
    return gzip.decompress(raw) if contents.get("compression") == "gzip" else raw
