"""Activates kola's plugin for a checkout: `pytest testsuites -k …` runs what `kola run` runs."""

pytest_plugins = ["kola.plugin"]
