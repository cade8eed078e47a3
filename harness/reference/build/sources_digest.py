"""Digests of the files that determine a build."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def add_files(digest: hashlib._Hash, files: Iterable[Path], *, top: Path) -> None:
    """Add path, mode and content of each file. Of Python, comments, docstrings and layout do not count."""
    for path in sorted(files):
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"\0{path.relative_to(top)}\0{executable}\0".encode())
        digest.update(_code(path) if path.suffix == ".py" else path.read_bytes())


def _code(path: Path) -> bytes:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_text(node: ast.stmt) -> bool:
    """Return True for a string that stands alone: a docstring, of an attribute too."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False
