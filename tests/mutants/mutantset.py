"""Mutants: small changes to the OS, each to be caught by the tests that claim what it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.ignition import IgnitionConfig
from harness.ignition.butane import translate

HERE = Path(__file__).parent
GROUP = 10
"""Mutants put into one machine at most."""

_KEYS = {"name", "breaks", "butane", "at_boot", "instead_of", "runs", "caught_by", "cause", "alone"}
_WRAP = """cp {program} {real}
cat > {real}.wrapper <<'END'
#!/bin/sh
real={real}
{runs}END
chmod 755 {real}.wrapper
mount --bind {real}.wrapper {program}
"""
_UNIT = """[Unit]
Description=Mutant {name}
After=network.target ssh.service chrony.service docker.service nestos-ignition-report.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/bin/mutant-{name}

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Mutant:
    """One change: a Butane config, and a shell script run by root at every boot, either may be empty.

    An entry of the table may also say what runs `instead_of` a program: that becomes part of the script.

    `caught_by` names the tests that must fail. With `cause` the machine itself is the verdict: the run's
    one test must fail as the guest's fault, for this cause.
    """

    name: str
    breaks: str
    butane: dict[str, Any]
    at_boot: str
    caught_by: frozenset[str]
    cause: str
    alone: bool
    suites: tuple[str, ...]

    def config(self) -> IgnitionConfig:
        """What makes the change."""
        document = {"variant": "fcos", "version": "1.4.0", **self.butane}
        config = translate(yaml.safe_dump(document), files_dir=None).config
        if not self.at_boot:
            return config
        script = {
            "variant": "fcos",
            "version": "1.4.0",
            "storage": {
                "files": [
                    {
                        "path": f"/usr/local/bin/mutant-{self.name}",
                        "mode": 0o755,
                        "contents": {"inline": f"#!/bin/sh\n{self.at_boot}"},
                    }
                ]
            },
            "systemd": {
                "units": [
                    {
                        "name": f"mutant-{self.name}.service",
                        "enabled": True,
                        "contents": _UNIT.format(name=self.name),
                    }
                ]
            },
        }
        return config.merge(translate(yaml.safe_dump(script), files_dir=None).config)


@dataclass(frozen=True)
class Group:
    """Mutants that live in one machine, because no two of them are caught by the same test."""

    mutants: tuple[Mutant, ...]

    @property
    def suites(self) -> tuple[str, ...]:
        """Patterns of the tests that are run on it."""
        return self.mutants[0].suites

    @property
    def cause(self) -> str:
        return self.mutants[0].cause

    @property
    def expected(self) -> frozenset[str]:
        return frozenset().union(*(mutant.caught_by for mutant in self.mutants))

    def config(self) -> IgnitionConfig:
        return IgnitionConfig.empty().merge(*(mutant.config() for mutant in self.mutants))

    def __str__(self) -> str:
        first = self.mutants[0].name
        return first if len(self.mutants) == 1 else f"{first}+{len(self.mutants) - 1}"


def load(directory: Path = HERE) -> list[Mutant]:
    """All mutants of the YAML files in `directory`. ValueError names the file and entry that is wrong."""
    found: list[Mutant] = []
    for file in sorted(directory.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        suites = tuple(document["suites"])
        for entry in document["mutants"]:
            found.append(_mutant(entry, suites, file))
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
    return Mutant(
        name=name,
        breaks=entry["breaks"],
        butane=entry.get("butane", {}),
        at_boot=_wrapper(entry) + entry.get("at_boot", ""),
        caught_by=frozenset(entry.get("caught_by", ())),
        cause=entry.get("cause", ""),
        alone=bool(entry.get("alone") or entry.get("cause")),
        suites=tuple(suites),
    )


def _wrapper(entry: dict[str, Any]) -> str:
    """A script that puts `runs` in the place of a program, which it finds as `$real`."""
    if not entry.get("runs"):
        return ""
    real = f"/run/mutant-{Path(entry['instead_of']).name}"
    return _WRAP.format(program=entry["instead_of"], real=real, runs=entry["runs"])


def groups(mutants: Iterable[Mutant], *, alone: bool = False) -> list[Group]:
    """As few machines as will do; one for each mutant with `alone`."""
    packed: list[list[Mutant]] = []
    for mutant in mutants:
        for group in packed if not (alone or mutant.alone) else []:
            if _fits(mutant, group):
                group.append(mutant)
                break
        else:
            packed.append([mutant])
    return [Group(tuple(group)) for group in packed]


def _fits(mutant: Mutant, group: Sequence[Mutant]) -> bool:
    return (
        len(group) < GROUP
        and not group[0].alone
        and group[0].suites == mutant.suites
        and all(mutant.caught_by.isdisjoint(other.caught_by) for other in group)
    )
