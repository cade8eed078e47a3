"""Ignition configs: `IgnitionConfig`, and the configs that we add to a test's own."""

from harness.ignition import additions
from harness.ignition.config import IgnitionConfig
from harness.ignition.findings import Finding, Severity

__all__ = ["Finding", "IgnitionConfig", "Severity", "additions"]
