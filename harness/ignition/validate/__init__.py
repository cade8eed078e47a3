"""Validation of a config by Ignition's rules."""

from harness.ignition.validate.walk import validate_tree

__all__ = ["validate_tree"]
