"""Which test starts when, and where."""

from kola.schedule import durations
from kola.schedule.scheduler import KolaScheduling

__all__ = ["KolaScheduling", "durations"]
