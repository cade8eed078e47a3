"""Visiting every object of a config with the checks for its kind."""

from __future__ import annotations

from harness.ignition.findings import Finding
from harness.ignition.schema import Object
from harness.ignition.version import SpecVersion


def validate_tree(tree: Object, version: SpecVersion) -> tuple[Finding, ...]:
    return ()
