"""The rpm database held against the files it names: `rpm -V`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator

from harness.artifact import Distro
from testsuites.audit.finding import Finding

_LINE = re.compile(r"(?:(missing )|([.?SM5DLUGTPC]{8,9}))\s+([acdglmnr] )?\s*(/.*?)(?: \(.*\))?")
_IGNORED = set(".?T")
"""ostree commits have no times, so every one differs."""
VERIFY = "rpm -Va --nodeps --noscripts --nomtime 2>&1"


def unverified(lines: Iterable[str], distro: Distro) -> list[Finding]:
    """Files that differ from their packages', except for those of /etc and of the profile.

    /etc has a rule of its own, and what is in /var and /boot is not the commit's.
    """
    return list(_unverified(lines, distro))


def _unverified(lines: Iterable[str], distro: Distro) -> Iterator[Finding]:
    rule = "files are their packages'"
    for line in lines:
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            continue
        missing, flags, _, path = match.groups()
        differs = "is gone" if missing else f"differs in {''.join(sorted(set(flags) - _IGNORED))}"
        if differs == "differs in " or not path.startswith("/usr/"):
            continue
        letters = set() if missing else set(flags) - _IGNORED
        if not any(_excuses(pattern, path, letters) for pattern in distro.rpm_differences):
            yield Finding(rule, path, differs, "rpm_differences")


def _excuses(pattern: str, path: str, letters: set[str]) -> bool:
    """Return True when a pattern of the profile covers this file and everything in which it differs."""
    only, _, glob = pattern.rpartition(" ")
    return fnmatch.fnmatchcase(path, glob) and (not only or (bool(letters) and letters <= set(only)))
