"""Reading what a config embeds from its files directory, and nothing outside of it."""

from __future__ import annotations

import os
from pathlib import Path as FilePath


class LocalFiles:
    """Raises ValueError with a sentence for a person; `base` None means that none may be read."""

    def __init__(self, base: FilePath | None) -> None:
        self._base = base

    def resolve(self, name: str) -> FilePath:
        if self._base is None:
            raise ValueError("local files need a files directory (--files-dir)")
        # Lexical on purpose, as in Butane: a link inside the directory may lead out of it.
        base = os.path.abspath(self._base)  # noqa: PTH100
        path = os.path.normpath(f"{base}/{name}")
        if path != base and not path.startswith(f"{base.rstrip('/')}/"):
            raise ValueError(f"{name!r} leads out of the files directory")
        return FilePath(path)

    def read(self, name: str) -> bytes:
        path = self.resolve(name)
        try:
            return path.read_bytes()
        except OSError as wrong:
            raise ValueError(f"cannot read {name!r}: {wrong.strerror}") from None
        except ValueError:
            raise ValueError(f"{name!r} is not a file name") from None
