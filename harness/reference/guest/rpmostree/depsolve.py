"""Dependency resolution: from requested names to all packages that must be installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import repos, rpms
from .errors import Failure
from .rpms import Missing, RpmFile

# Rounds of resolution; every round adds at least one new package.
_MOST_PACKAGES = 500


def complete(
    root: str, files: Sequence[RpmFile], wanted: Sequence[str], *, repositories: Path, directory: Path
) -> list[RpmFile]:
    """Return `files`, the packages called `wanted`, and their dependencies that the system below `root`
    lacks.

    `repositories` holds the `.repo` files; packages are downloaded into `directory`. Raises `Failure` for
    names and dependencies without a provider, conflicts, and unreachable repositories.
    """
    result = list(files)
    offers: list[repos.Candidate] | None = None
    if wanted:
        offers = _offers(repositories)
        unknown = [name for name in wanted if repos.best(offers, name, rpms.compare) is None]
        if unknown:
            raise Failure(f"Packages not found: {', '.join(unknown)}")
        for name in wanted:
            _take(offers, name, directory, result)
    for _ in range(_MOST_PACKAGES):
        lacking = rpms.missing(root, result) if result else []
        if not lacking:
            return result
        if offers is None:
            offers = _offers(repositories)
        found = False
        for entry in lacking:
            found |= _take(offers, entry.needed.split(" ")[0], directory, result)
        if not found:
            raise _nobody_provides(lacking)
    raise Failure(f"Could not depsolve transaction: more than {_MOST_PACKAGES} packages")


def _nobody_provides(lacking: Sequence[Missing]) -> Failure:
    problems = "\n".join(
        f"  - nothing provides {entry.needed} needed by {entry.package}" for entry in lacking
    )
    return Failure(
        f"Could not depsolve transaction; {len(lacking)} problem{'s' * (len(lacking) > 1)} detected:\n"
        f" Problem: conflicting requests\n{problems}"
    )


def _take(offers: list[repos.Candidate], name: str, directory: Path, files: list[RpmFile]) -> bool:
    """Add the best provider of `name` to `files`; return False when there is none, or when it is there
    already.
    """
    offer = repos.best(offers, name, rpms.compare)
    if offer is None or any(file.row == offer.row for file in files):
        return False
    files.append(rpms.read(repos.download(offer, directory)))
    return True


def _offers(repositories: Path) -> list[repos.Candidate]:
    offers = []
    for repository in repos.configured(repositories):
        try:
            offers += repos.candidates(repository)
        except Failure:
            if not repository.skip_if_unavailable:
                raise
    return offers
