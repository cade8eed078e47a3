"""Fixtures of the facts: the audits' collection."""

from testsuites.audit.conftest import collection, configured

__all__ = ["collection", "configured"]
