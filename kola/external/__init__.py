"""Shell tests that projects keep in their `tests/kola`: finding them and what they say of themselves."""

from kola.external.discover import (
    BrokenTest,
    Discovery,
    ExternalTest,
    Root,
    discover,
    find_roots,
)
from kola.external.metadata import Metadata

__all__ = ["BrokenTest", "Discovery", "ExternalTest", "Metadata", "Root", "discover", "find_roots"]
