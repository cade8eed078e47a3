"""Why a command ends without having done what it was asked."""

from __future__ import annotations


class Failure(Exception):
    """Printed as `error: …`, exit status 1."""


class Unchanged(Exception):
    """There was nothing to do; exit status 77 for those who asked for it, 0 otherwise."""
