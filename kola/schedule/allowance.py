"""The user's limit on the memory of all tests together."""

from __future__ import annotations

import os

from harness.errors import ConfigError
from harness.util.sizes import parse_size

LIMIT = "KOLA_MEMORY"
"""Environment variable with the memory limit of all tests together, such as 6G."""

_UNLIMITED = 1 << 62


def allowed_memory() -> int:
    """Return the limit in bytes, from KOLA_MEMORY. Raises ConfigError."""
    text = os.environ.get(LIMIT, "")
    if not text:
        return _UNLIMITED
    try:
        return parse_size(text)
    except ConfigError as error:
        raise ConfigError(f"{LIMIT}: {error.message}", hint=error.hint) from None
