"""Selection of tests: patterns, tags, filters, denylist, shards."""

from kola.select.filters import select
from kola.select.selection import Chosen, Filtered, Selection, Stage

__all__ = ["Chosen", "Filtered", "Selection", "Stage", "select"]
