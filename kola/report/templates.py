"""Notices about machines that booted cold because no template could be made or used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from kola.report.events import Event, EventKind

NO_TEMPLATE = "no-template"
"""The value of `about` in a notice on a machine that was not cloned."""


def template_notices(events: Iterable[Event]) -> tuple[str, ...]:
    """Return a sentence for each reason, the most frequent first, with the number of machines."""
    reasons = Counter(
        str(event.data.get("text", "")).partition("\n")[0]
        for event in events
        if event.kind == EventKind.NOTICE and event.data.get("about") == NO_TEMPLATE
    )
    return tuple(
        f"{reason} ({count} machine{'s' if count > 1 else ''})" for reason, count in reasons.most_common()
    )
