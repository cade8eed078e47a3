"""Butane translation: `translate` a text and get an `IgnitionConfig` with warnings."""

from harness.ignition.butane.translate import Translation, translate

__all__ = ["Translation", "translate"]
