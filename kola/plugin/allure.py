"""A filter that stops allure-pytest from writing results: it knows neither kola's names nor its warnings."""

from __future__ import annotations

from pathlib import Path

import pytest


def take_over(config: pytest.Config) -> Path | None:
    """Return the requested directory, for kola.report.allure to write to; None without a request.

    Call it in the controller and in each worker, which parses the command line again.
    """
    directory = getattr(config.option, "allure_report_dir", None)
    if not directory:
        return None
    config.option.allure_report_dir = None  # for allure-pytest when it is configured after us
    listener = config.pluginmanager.get_plugin("allure_listener")
    if listener is not None:
        config.pluginmanager.unregister(listener)
    return Path(directory).absolute()
