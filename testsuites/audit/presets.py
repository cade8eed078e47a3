"""systemd's presets (systemd.preset(5)): the units that a build wants enabled."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

from testsuites.audit.items import Line


@dataclass(frozen=True)
class Presets:
    """Rules in order of precedence: (enable or not, pattern, instances)."""

    rules: tuple[tuple[bool, str, tuple[str, ...]], ...]

    @classmethod
    def read(cls, lines: Iterable[Line]) -> Presets:
        """Read the rules of all directories.

        A file hides those of its name in directories of lower priority (/etc first).
        """
        weights = ("/etc/", "/run/", "/usr/local/", "/usr/")
        files: dict[str, tuple[int, list[str]]] = {}
        for line in lines:
            name = line.file.rpartition("/")[2]
            weight = next((number for number, start in enumerate(weights) if line.file.startswith(start)), 9)
            kept = files.get(name)
            if kept is None or weight < kept[0]:
                files[name] = (weight, [line.text])
            elif weight == kept[0]:
                kept[1].append(line.text)
        rules = []
        for _, (_, texts) in sorted(files.items()):
            for text in texts:
                words = text.split()
                if len(words) >= 2 and words[0] in ("enable", "disable", "ignore"):
                    rules.append((words[0] == "enable", words[1], tuple(words[2:])))
        return cls(tuple(rules))

    def enables(self, unit: str) -> bool:
        """Return True when the unit is to be enabled. Units that no rule names are."""
        template, _, instance = unit.partition("@")
        suffix = unit.rpartition(".")[2]
        general = f"{template}@.{suffix}" if instance else unit
        for enable, pattern, instances in self.rules:
            if fnmatch.fnmatchcase(unit, pattern):
                return enable
            if instance and fnmatch.fnmatchcase(general, pattern):
                wanted = instance.removesuffix(f".{suffix}")
                return enable and (not instances or wanted in instances)
        return True

    @property
    def named(self) -> tuple[str, ...]:
        """Return the units that a rule enables by their full name."""
        return tuple(name for enable, name, _ in self.rules if enable and not set(name) & set("*?[@"))
