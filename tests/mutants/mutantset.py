"""Mutants: small changes to the OS, each to be caught by the tests that claim what it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.butane import translate
from harness.ignition import IgnitionConfig

HERE = Path(__file__).parent
GROUP = 24
"""Mutants put into one machine at most."""

_KEYS = {
    "name",
    "breaks",
    "butane",
    "at_boot",
    "instead_of",
    "runs",
    "caught_by",
    "cause",
    "alone",
    "touches",
    "facts",
    "no_facts",
}
# Wrappers of one program are stacked, whichever comes first.
_WRAP = """real=/run/mutant-{name}/{program.name}
mkdir "${{real%/*}}"
cp {program} $real
cat > $real.wrapper <<END
#!/bin/sh
real=$real
END
cat >> $real.wrapper <<'END'
{runs}END
chmod 755 $real.wrapper
mount --bind $real.wrapper {program}
"""
# Scripts run one at a time: several edit the same file, such as /etc/passwd.
_UNIT = """[Unit]
Description=Mutant {name}
After=network.target ssh.service chrony.service docker.service
After=nestos-ignition-report.service ignition-firstboot-complete.service boot.mount

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/flock -o /run/kola-mutants.lock /usr/local/bin/kola-mutant-{name}

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Mutant:
    """A planted defect: a Butane config and a shell script run by root at every boot; either may be empty.

    An entry of the table may also say what runs `instead_of` a program: that becomes part of the script.

    `caught_by` names the tests that must fail, those with parameters as reports do; `says` has the words that
    their messages must contain. With `cause` the machine itself is the verdict: the run's one test must fail
    as the guest's fault, for this cause. `touches` names what else than files, units, links and users of its
    config the change is about.

    `facts` are words that differences of `kola facts diff` must have; without them it must name a subject.
    `no_facts` says why it cannot (factset.py).
    """

    name: str
    breaks: str
    butane: dict[str, Any]
    at_boot: str
    caught_by: frozenset[str]
    cause: str
    alone: bool
    suites: tuple[str, ...]
    touches: frozenset[str] = frozenset()
    says: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    no_facts: str = ""

    @property
    def subjects(self) -> frozenset[str]:
        """The subjects it changes; two mutants with a common subject would undo each other."""
        storage, systemd = self.butane.get("storage", {}), self.butane.get("systemd", {})
        nodes = [node for kind in ("files", "directories", "links") for node in storage.get(kind, [])]
        users = self.butane.get("passwd", {}).get("users", [])
        return self.touches.union(
            (node["path"] for node in nodes),
            (unit["name"] for unit in systemd.get("units", [])),
            (f"user {user['name']}" for user in users),
        )

    def config(self) -> IgnitionConfig:
        """The config that makes the change."""
        document = {"variant": "fcos", "version": "1.4.0", **self.butane}
        config = translate(yaml.safe_dump(document), files_dir=None).config
        if not self.at_boot:
            return config
        # Units of the config whose names begin with kola- are the harness's, and no finding of an audit.
        script = {
            "variant": "fcos",
            "version": "1.4.0",
            "storage": {
                "files": [
                    {
                        "path": f"/usr/local/bin/kola-mutant-{self.name}",
                        "mode": 0o755,
                        "contents": {"inline": f"#!/bin/sh\n{self.at_boot}"},
                    }
                ]
            },
            "systemd": {
                "units": [
                    {
                        "name": f"kola-mutant-{self.name}.service",
                        "enabled": True,
                        "contents": _UNIT.format(name=self.name),
                    }
                ]
            },
        }
        return config.merge(translate(yaml.safe_dump(script), files_dir=None).config)


@dataclass(frozen=True)
class Group:
    """Mutants that live in one machine: no two of them change the same.

    No two are caught by the same test either, unless its message tells them apart.
    """

    mutants: tuple[Mutant, ...]

    @property
    def tests(self) -> tuple[str, ...]:
        """Patterns of the tests that are run on it: its suites, and whoever is to catch something."""
        return (*self.mutants[0].suites, *sorted(self.expected))

    @property
    def cause(self) -> str:
        return self.mutants[0].cause

    @property
    def expected(self) -> frozenset[str]:
        return frozenset().union(*(mutant.caught_by for mutant in self.mutants))

    def unsaid(self, reasons: Mapping[str, str]) -> list[str]:
        """Return `mutant: test: words` for each failed test of `reasons` whose message lacks the words."""
        return [
            f"{mutant.name}: {test}: {words}"
            for mutant in self.mutants
            for test, words in sorted(mutant.says.items())
            if words not in reasons.get(test, "")
        ]

    def config(self) -> IgnitionConfig:
        return IgnitionConfig.empty().merge(*(mutant.config() for mutant in self.mutants))

    def __str__(self) -> str:
        first = self.mutants[0].name
        return first if len(self.mutants) == 1 else f"{first}+{len(self.mutants) - 1}"


def load(directory: Path = HERE) -> list[Mutant]:
    """Read all mutants of the YAML files in `directory`. Raises ValueError with the file and entry."""
    found: list[Mutant] = []
    for file in sorted(directory.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        suites = tuple(document["suites"])
        for entry in document["mutants"]:
            found.append(_mutant({"no_facts": document.get("no_facts", ""), **entry}, suites, file))
    names = [mutant.name for mutant in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"mutants defined twice: {sorted(twice)}")
    return found


def _mutant(entry: dict[str, Any], suites: Sequence[str], file: Path) -> Mutant:
    name = entry.get("name", "?")
    if unknown := entry.keys() - _KEYS:
        raise ValueError(f"{file.name}: {name}: unknown keys {sorted(unknown)}")
    if bool(entry.get("caught_by")) == bool(entry.get("cause")):
        raise ValueError(f"{file.name}: {name}: needs either caught_by or cause")
    if bool(entry.get("instead_of")) != bool(entry.get("runs")):
        raise ValueError(f"{file.name}: {name}: instead_of and runs go together")
    if not (entry.get("butane") or entry.get("at_boot") or entry.get("runs")):
        raise ValueError(f"{file.name}: {name}: changes nothing")
    if entry.get("facts") and entry["no_facts"]:
        raise ValueError(f"{file.name}: {name}: has facts and no_facts")
    says = _words(entry.get("caught_by", ()))
    covered = [f"mounts: {entry['instead_of']}: "] if entry.get("instead_of") else []
    return Mutant(
        name=name,
        breaks=entry["breaks"],
        butane=entry.get("butane", {}),
        at_boot=_wrapper(entry) + entry.get("at_boot", ""),
        caught_by=frozenset(says),
        cause=entry.get("cause", ""),
        alone=bool(entry.get("alone") or entry.get("cause")),
        suites=tuple(suites),
        touches=frozenset(entry.get("touches", ())),
        says={test: words for test, words in says.items() if words},
        facts=tuple(entry.get("facts", covered)),
        no_facts=entry["no_facts"],
    )


def _words(caught_by: Iterable[str | dict[str, Any]]) -> dict[str, str]:
    """The tests of `caught_by` and the words of their messages.

    Each is a name, {name: words}, or {says: words, tests: names}, or has the name of a file in `sets` there.
    """
    found: dict[str, str] = {}
    for one in caught_by:
        if isinstance(one, str):
            found[one] = ""
        elif "tests" in one:
            found |= dict.fromkeys(_named(one["tests"]), one["says"])
        else:
            found |= one
    return found


def _named(tests: str | list[str]) -> list[str]:
    return tests if isinstance(tests, list) else yaml.safe_load((HERE / f"sets/{tests}.yaml").read_text())


def _wrapper(entry: dict[str, Any]) -> str:
    """A script that puts `runs` in the place of a program, which it finds as `$real`."""
    if not entry.get("runs"):
        return ""
    return _WRAP.format(name=entry["name"], program=Path(entry["instead_of"]), runs=entry["runs"])


def groups(mutants: Iterable[Mutant], *, alone: bool = False) -> list[Group]:
    """Put the mutants on few machines, without conflicts; with `alone`, one machine each."""
    mutants = list(mutants)
    if alone:
        return [Group((mutant,)) for mutant in mutants]
    by_suites: dict[tuple[str, ...], list[Mutant]] = {}
    for mutant in mutants:
        if not mutant.alone:
            by_suites.setdefault(mutant.suites, []).append(mutant)
    packed = [Group((mutant,)) for mutant in mutants if mutant.alone]
    for kin in by_suites.values():
        packed += pack(kin, _fits, _failures)
    return packed


def pack(
    mutants: Sequence[Mutant],
    fits: Callable[[Mutant, Sequence[Mutant]], bool],
    weight: Callable[[Sequence[Mutant]], int],
) -> list[Group]:
    """Spread the mutants over as few machines as they fit on: each goes to the one that weighs least."""

    def spread(machines: int) -> list[list[Mutant]]:
        packed: list[list[Mutant]] = [[] for _ in range(machines)]
        for mutant in mutants:
            fitting = [group for group in packed if fits(mutant, group)]
            if fitting:
                min(fitting, key=weight).append(mutant)
            else:
                packed.append([mutant])
        return packed

    least = len(spread(0))
    return [Group(tuple(group)) for group in spread(least) if group]


def _failures(group: Sequence[Mutant]) -> int:
    return sum(len(mutant.caught_by) for mutant in group)


def _fits(mutant: Mutant, group: Sequence[Mutant]) -> bool:
    return (
        len(group) < GROUP
        and all(_apart(mutant, other) for other in group)
        and all(mutant.subjects.isdisjoint(other.subjects) for other in group)
    )


def _apart(mutant: Mutant, other: Mutant) -> bool:
    """Return True when every test that catches both has words for each of them."""
    shared = mutant.caught_by & other.caught_by
    return all(mutant.says.get(test, "") != other.says.get(test, "") for test in shared) and shared <= (
        mutant.says.keys() & other.says.keys()
    )
