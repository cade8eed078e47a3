"""What Ignition would say about a config."""

from harness.ignition.validate.walk import validate_tree

__all__ = ["validate_tree"]
