"""A record of facts, and its file: gzipped JSON, byte for byte reproducible."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.util.jsonfile import JsonFile
from harness.util.userfile import read_user_bytes

FILE = "kola-facts.json.gz"
"""The name of the file, beside meta.json or in the output directory of a run."""
_FORMAT = 1
_GZIP = b"\x1f\x8b"
_HINT = "one is made by `kola run facts.*`"


@dataclass(frozen=True)
class _Document:
    """The file, decompressed."""

    format: int
    build: str
    stream: str
    facts: dict[str, dict[str, str]]


_FILE_FORMAT = JsonFile(_Document, "a record of facts")


@dataclass(frozen=True)
class Facts:
    """The facts of one clean machine of a build: categories, each with items and their values as text."""

    build: str
    stream: str
    categories: Mapping[str, Mapping[str, str]]

    def to_bytes(self) -> bytes:
        facts = {name: dict(items) for name, items in self.categories.items()}
        document = _Document(_FORMAT, self.build, self.stream, facts)
        text = json.dumps(asdict(document), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        return gzip.compress(text.encode(), mtime=0)

    def write(self, path: Path) -> None:
        """Write the file atomically. Raises OSError."""
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(self.to_bytes())
        fresh.replace(path)

    @classmethod
    def read(cls, path: Path) -> Facts:
        """Read a file. Raises ConfigError when it is not a record of facts."""
        content = read_user_bytes(path)
        try:
            text = gzip.decompress(content) if content.startswith(_GZIP) else content
            document = _FILE_FORMAT.load(text.decode(), file=path)
        except ConfigError as error:
            raise ConfigError(error.message, file=path, line=error.line, hint=_HINT) from None
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise ConfigError(f"not a record of facts: {error}", file=path, hint=_HINT) from error
        if document.format != _FORMAT:
            raise ConfigError(f"has facts in format {document.format}, not {_FORMAT}", file=path)
        return cls(document.build, document.stream, document.facts)
