"""Butane translation: `translate` a text, or load a config file of either kind, as an `IgnitionConfig`."""

from harness.butane.load import LoadedConfig, load_butane, load_config, load_ignition
from harness.butane.translate import Translation, translate

__all__ = ["LoadedConfig", "Translation", "load_butane", "load_config", "load_ignition", "translate"]
