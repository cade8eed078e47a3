"""Show, compare and accept the facts of builds, which `kola run facts.unchanged` collects."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ConfigError
from harness.util.language import localized, tr
from kola.run.argtypes import path

if TYPE_CHECKING:
    from kola.facts.model import Facts

HELP = "what a build is like, and what changed since another"
EXAMPLES = (
    "kola facts show latest --category units",
    "kola facts diff -1 latest               # exit status 1 after a failure",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `show A`, `diff A B`, `accept A`: A and B are files, directories or ids of builds."""
    parser.add_argument("--workdir", type=path, default=Path(), metavar="DIR", help="the build directory")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="show|diff|accept")
    what = "a file, a run's output directory, or a build (its id, latest, -1)"
    show = verbs.add_parser(
        "show", help="print the facts, sorted", description="Print the facts as JSON, sorted."
    )
    show.add_argument("facts", metavar="A", help=what)
    show.add_argument("--category", help="only these facts")
    diff = verbs.add_parser(
        "diff",
        help="print what differs; exit status 1 when a difference is a failure",
        description="Print the differences between A and B. The exit status is 1 after a failure.",
    )
    diff.add_argument("before", metavar="A", help=what)
    diff.add_argument("after", metavar="B", help=what)
    accept = verbs.add_parser(
        "accept",
        help="keep a run's facts beside its build; later builds are compared with them",
        description="Keep the facts of a run beside its build. Runs of later builds are compared with them.",
    )
    accept.add_argument("facts", metavar="A", help=what)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError for an argument that names no facts."""
    match args.verb:
        case "show":
            return _show(load(args.facts, args.workdir), args.category)
        case "diff":
            return _diff(load(args.before, args.workdir), load(args.after, args.workdir), args.workdir)
        case _:
            return _accept(load(args.facts, args.workdir), args.workdir)


def load(named: str, workdir: Path) -> Facts:
    """Load the facts from a file, a directory, or beside a build of `workdir`. Raises ConfigError."""
    from harness.artifact.build import BuildRoot
    from kola.facts.model import FILE, Facts

    path = Path(named)
    if path.is_dir() and (path / FILE).is_file():
        return Facts.read(path / FILE)
    if path.is_file():
        return Facts.read(path)
    if not BuildRoot.is_root(workdir):
        raise ConfigError(
            f"{named} is no file of facts and no directory with {FILE}",
            hint="name one, or a build together with --workdir",
        )
    build = BuildRoot(workdir).find(named)
    if not (build.directory / FILE).is_file():
        raise ConfigError(
            f"build {build.id} has no accepted facts",
            file=build.directory / FILE,
            hint="`kola run facts.unchanged`, then `kola facts accept OUTPUT-DIR`",
        )
    return Facts.read(build.directory / FILE)


def _show(facts: Facts, category: str | None) -> int:
    if category is not None and category not in facts.categories:
        raise ConfigError(
            f"no facts are called {category!r}", hint=f"there are {', '.join(sorted(facts.categories))}"
        )
    chosen = facts.categories if category is None else {category: facts.categories[category]}
    shown = {name: dict(items) for name, items in chosen.items()}
    print(json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False))
    return 0


def _diff(before: Facts, after: Facts, workdir: Path) -> int:
    from kola.facts.approvals import FILE, load_approvals
    from kola.facts.compare import Severity, differences

    found = differences(before, after, load_approvals(workdir / "src/config" / FILE))
    for one in found:
        print(localized(str(one)))
    grave = sum(one.severity is Severity.FAILURE for one in found)
    said = tr(
        "{count} differences between {before} and {after}, {grave} of them failures",
        count=len(found),
        before=before.build,
        after=after.build,
        grave=grave,
    )
    print(said)
    return 1 if grave else 0


def _accept(facts: Facts, workdir: Path) -> int:
    from harness.artifact.build import BuildRoot
    from kola.facts.model import FILE

    if not BuildRoot.is_root(workdir):
        raise ConfigError(f"{workdir} is no build directory", hint="name it with --workdir")
    build = BuildRoot(workdir).find(facts.build)
    path = build.directory / FILE
    try:
        facts.write(path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=path) from error
    print(tr("the facts of build {id} are accepted: {path}", id=build.id, path=path))
    return 0
