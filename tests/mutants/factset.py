"""What `kola facts diff` must tell of each mutant, and the machines on which that is proved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mutants.mutantset import Group, Mutant, pack

MACHINE = 32
"""Mutants put into one machine at most: here no test has to tell them apart."""

_PLACES = (("/usr/local/", "/var/usrlocal/"), ("/opt/", "/var/opt/"), ("/root/", "/var/roothome/"))
"""Directories of the config that are links in the guest."""
_UNIT = re.compile(r"[^/ ]+\.(service|socket|timer|path|mount|target|slice|automount)")


def told(mutant: Mutant) -> tuple[str, ...]:
    """Return words of differences that all must be told of this mutant."""
    return mutant.facts


def named(mutant: Mutant) -> tuple[str, ...]:
    """Return words of which a difference must have one.

    They are subjects of the mutant's config, or else what its script touches, or else what tests say of it.
    """
    if mutant.facts:
        return ()
    config = _words(mutant.subjects - mutant.touches)
    return config or _words(mutant.touches) or tuple(dict.fromkeys(sorted(mutant.says.values())))


def _words(subjects: Iterable[str]) -> tuple[str, ...]:
    return tuple(words for subject in sorted(subjects) if (words := _in_facts(subject)))


def _in_facts(subject: str) -> str:
    """Return the subject as facts name it; nothing for a subject that is only a word."""
    if subject.startswith("user "):
        return f"accounts: {subject.removeprefix('user ')}: "
    for here, there in _PLACES:
        if subject.startswith(here):
            return there + subject.removeprefix(here)
    return subject if subject.startswith("/") or _UNIT.fullmatch(subject) or "." in subject else ""


def missed(mutant: Mutant, differences: Iterable[str]) -> list[str]:
    """Return the words of this mutant that no difference has."""
    lines = list(differences)
    found = [words for words in told(mutant) if not any(words in line for line in lines)]
    if (any_of := named(mutant)) and not any(words in line for words in any_of for line in lines):
        found.append(" or ".join(any_of))
    return found


def telling(mutant: Mutant, differences: Iterable[str]) -> list[str]:
    """Return the differences that tell of this mutant."""
    words = (*told(mutant), *named(mutant))
    return [line for line in differences if any(one in line for one in words)]


def fact_groups(mutants: Iterable[Mutant]) -> list[Group]:
    """Put the mutants that facts must show on few machines, so that each has words of its own.

    Those of audits stay with those that were planted beside them.
    """
    shown = [mutant for mutant in mutants if not mutant.no_facts]
    packed = [Group((mutant,)) for mutant in shown if mutant.alone]
    kin: dict[tuple[str, ...], list[Mutant]] = {}
    for mutant in shown:
        if not mutant.alone:
            audits = any(suite.startswith("audit.") for suite in mutant.suites)
            kin.setdefault(mutant.suites if audits else (), []).append(mutant)
    for family in kin.values():
        packed += pack(family, _fits, len)
    return packed


def _fits(mutant: Mutant, group: Sequence[Mutant]) -> bool:
    return len(group) < MACHINE and not any(
        not mutant.subjects.isdisjoint(other.subjects) or _alike(mutant, other) for other in group
    )


def _alike(one: Mutant, other: Mutant) -> bool:
    """Return True when words of one are part of words of the other."""
    ours, theirs = ((*told(mutant), *named(mutant)) for mutant in (one, other))
    return any(here in there or there in here for here in ours for there in theirs)
