"""Access to the local files that a config embeds, limited to its files directory."""

from __future__ import annotations

import os
from pathlib import Path as FilePath

from harness.errors import ConfigError
from harness.util.quote import quote
from harness.util.userfile import read_user_bytes


class LocalFiles:
    """The files below `base`; with None, none may be read. Raises ValueError with a sentence for a person."""

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
        try:
            return read_user_bytes(self.resolve(name))
        except ConfigError as wrong:
            raise ValueError(f"cannot read {quote(name)}: {wrong.message}") from None
