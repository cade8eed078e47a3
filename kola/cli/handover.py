"""Inputs of the pytest plugin, passed to the session that `kola run` starts."""

from __future__ import annotations

import pytest

from kola.plugin.recorder import Recorder
from kola.run.resolve import Resolved


class HandOver:
    """A pytest plugin that passes the resolved run to kola's plugin, and gives access to its recorder."""

    def __init__(self, resolved: Resolved, *, closes: bool = True, timed: bool = True) -> None:
        """`closes`: the run ends with the pytest session. `timed`: durations of tests are recorded."""
        self.resolved = resolved
        self._closes = closes
        self._timed = timed
        self._config: pytest.Config | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        config.option.kola_resolved = self.resolved
        config.option.kola_closes = self._closes
        config.option.kola_timed = self._timed

    @property
    def recorder(self) -> Recorder | None:
        if self._config is None:
            return None
        found = self._config.pluginmanager.get_plugin("kola-recorder")
        return found if isinstance(found, Recorder) else None
