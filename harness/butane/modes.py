"""Detection of file modes written in decimal: `mode: 644` is octal 1204, which nobody intends."""

from __future__ import annotations


def looks_decimal(mode: int, *, directory: bool) -> bool:
    """Return True when the mode is odd as it stands and would be sensible with a leading zero."""
    digits = str(mode)
    if not 0 <= mode <= 7777 or any(digit in "89" for digit in digits):
        return False
    return not _sensible(mode, directory=directory) and _sensible(int(digits, 8), directory=directory)


def _sensible(mode: int, *, directory: bool) -> bool:
    if mode == 0:
        return True
    others, group, owner = mode & 7, mode >> 3 & 7, mode >> 6 & 7
    if others & ~group or group & ~owner:
        return False
    if not owner & 4 or any(bits & 3 and not bits & 4 for bits in (others, group, owner)):
        return False
    if any(narrow & 4 and not narrow & 1 and wide & 1 for narrow, wide in ((others, group), (group, owner))):
        return False
    special = mode >> 9
    if directory:
        return bool(owner & 1) and not special & 4 and (not special & 3 or bool(owner & 2))
    setid_sane = not special & 6 or (bool(owner & 1) and not others & 2)
    return setid_sane and not special & 1
