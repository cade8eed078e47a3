"""Suggestions for mistyped words."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 100  # difflib takes quadratic time, and nobody mistypes so long a word


def near(word: str, known: Iterable[str], *, count: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return up to `count` known words that resemble `word`, the nearest first; case is ignored.

    `cutoff` is how much they must have in common, from 0 to 1.
    """
    from difflib import get_close_matches  # only for a mistyped word: it takes 10 ms to import

    folded = {one.casefold(): one for one in known}
    if len(word) > _LONGEST:
        return []
    return [folded[fold] for fold in get_close_matches(word.casefold(), folded, n=count, cutoff=cutoff)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint: the known word that resembles `word`, else all of them."""
    words = sorted(known)
    found = near(word, words)
    return f"did you mean {found[0]!r}?" if found else f"known: {', '.join(words)}"
