"""Which test starts when, and where."""

from kola.schedule.scheduler import KolaScheduling

__all__ = ["KolaScheduling"]
