"""Shell tests in the `tests/kola` of projects: discovery and metadata."""

from kola.cases.broken import BrokenTest
from kola.cases.external.discover import (
    Discovery,
    ExternalTest,
    Root,
    discover,
    find_roots,
)
from kola.cases.external.metadata import Metadata

__all__ = ["BrokenTest", "Discovery", "ExternalTest", "Metadata", "Root", "discover", "find_roots"]
