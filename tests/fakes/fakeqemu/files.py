"""The guest's file system: names and contents in memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Node:
    content: bytes = b""
    mode: int = 0o644
    owner: str = "root:root"


class Files:
    """Directories exist as soon as something lies below them. A full disk takes no byte more."""

    def __init__(self, contents: dict[str, bytes], *, full: bool = False) -> None:
        self._nodes = {path: Node(content) for path, content in contents.items()}
        self.full = full

    def contents(self) -> dict[str, bytes]:
        return {path: node.content for path, node in self._nodes.items()}

    def get(self, path: str) -> Node | None:
        return self._nodes.get(path)

    def write(self, path: str, content: bytes) -> Node:
        """Raises OSError (ENOSPC) on a full disk."""
        if self.full and content:
            raise OSError(28, "No space left on device")
        node = self._nodes.setdefault(path, Node())
        node.content = content
        return node

    def remove(self, path: str) -> bool:
        return self._nodes.pop(path, None) is not None

    def is_directory(self, path: str) -> bool:
        return path == "/" or any(name.startswith(path.rstrip("/") + "/") for name in self._nodes)

    def names(self, path: str) -> list[str]:
        below = path.rstrip("/") + "/"
        return sorted(
            {name[len(below) :].partition("/")[0] for name in self._nodes if name.startswith(below)}
        )
