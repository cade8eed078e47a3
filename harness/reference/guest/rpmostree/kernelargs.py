"""Kernel arguments as a list of words, changed like libostree changes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import Failure


@dataclass(frozen=True)
class Changes:
    """The changes of one `rpm-ostree kargs`, each in the given order."""

    append: Sequence[str] = ()
    replace: Sequence[str] = ()
    delete: Sequence[str] = ()
    append_if_missing: Sequence[str] = ()
    delete_if_present: Sequence[str] = ()

    def __bool__(self) -> bool:
        return any((self.append, self.replace, self.delete, self.append_if_missing, self.delete_if_present))


def apply(current: str, changes: Changes) -> list[str]:
    """Return the words of `current` after `changes`.

    Raises `Failure` for a missing word to delete or replace.
    """
    words = current.split()
    for argument in changes.delete:
        words.remove(_find(words, argument))
    for argument in changes.delete_if_present:
        while argument in words:
            words.remove(argument)
        if "=" not in argument:
            words = [word for word in words if word.partition("=")[0] != argument]
    for argument in changes.replace:
        words = _replace(words, argument)
    words += changes.append
    words += [word for word in changes.append_if_missing if word not in words]
    return words


def _find(words: Sequence[str], argument: str) -> str:
    """Return the word that `KEY=VALUE`, or a lone `KEY`, refers to."""
    key, equals, _ = argument.partition("=")
    if argument in words:
        return argument
    same_key = [word for word in words if word.partition("=")[0] == key]
    if not same_key:
        raise Failure(f"No key '{key}' found")
    if equals:
        raise Failure(f"No karg '{argument}' found")
    if len(same_key) > 1:
        raise Failure(f"Multiple values for key '{key}' found")
    return same_key[0]


def _replace(words: list[str], argument: str) -> list[str]:
    """Replace by `KEY=VALUE`, or by `KEY=VALUE=NEW` when the key has several values."""
    key, _, value = argument.partition("=")
    old, equals, new = value.partition("=")
    if equals and f"{key}={old}" in words:
        words[words.index(f"{key}={old}")] = f"{key}={new}"
        return words
    words[words.index(_find(words, key))] = argument
    return words
