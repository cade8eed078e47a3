"""Values inside QEMU's comma-separated options (qemu: docs/system/keys, util/qemu-option.c)."""

from __future__ import annotations


def escape(value: object) -> str:
    """Escape a value for an option: a comma is written twice."""
    return str(value).replace(",", ",,")
