"""The exceptions that end a command."""

from __future__ import annotations


class Failure(Exception):
    """Raised when a command fails. Printed as `error: …`, exit status 1."""


class Unchanged(Exception):
    """Raised when there was nothing to do: exit status 77 if requested, else 0."""
