"""What `kola run` gives to the plugin inside the pytest session it starts."""

from __future__ import annotations

import argparse

import pytest

from kola.plugin.recorder import Recorder
from kola.run.resolve import Resolved


class HandOver:
    """Gives the plugin what was resolved here, and finds its recorder again."""

    def __init__(
        self, args: argparse.Namespace, resolved: Resolved, *, closes: bool = True, timed: bool = True
    ) -> None:
        """`closes`: pytest's end is the run's. `timed`: how long tests take is to be remembered."""
        self.resolved = resolved
        self._args = args
        self._closes = closes
        self._timed = timed
        self._config: pytest.Config | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        config.option.kola_resolved = self.resolved
        config.option.kola_warn_exits_77 = self._args.on_warn_failure_exit_77
        config.option.kola_tapfile = self._args.tapfile if self._timed else None
        config.option.kola_closes = self._closes
        config.option.kola_timed = self._timed

    @property
    def recorder(self) -> Recorder | None:
        if self._config is None:
            return None
        found = self._config.pluginmanager.get_plugin("kola-recorder")
        return found if isinstance(found, Recorder) else None
