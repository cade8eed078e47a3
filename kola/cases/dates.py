"""Dates in metadata and denylists."""

from __future__ import annotations

from datetime import date, datetime, timedelta

GRACE_PERIOD = timedelta(days=30)
"""Period after a new test's `creationDate` during which its failures are warnings."""


def parse_date(value: object) -> date:
    """Parse a `YYYY-MM-DD` text, or pass on the date a YAML reader made of it.

    Raises ValueError otherwise.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and len(value) == len("YYYY-MM-DD"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(f"expected a date such as 2026-03-31, not {str(value)!r}")


def grace_end(created: date) -> date:
    """Return the first day on which failures of a test created then count as failures."""
    return created + GRACE_PERIOD
