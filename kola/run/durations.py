"""Durations of tests in earlier runs of this user. They determine the order of the next run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.util.deadline import Deadline
from harness.util.jsonfile import JsonFile
from harness.util.locks import exclusive
from harness.util.paths import cache_root

_OLD_SHARE = 0.5  # weight of the past in the average


@dataclass(frozen=True)
class Durations:
    """Seconds by test name and by pytest node id."""

    names: Mapping[str, float]
    nodeids: Mapping[str, float]

    def order(self, nodeids: Sequence[str], weights: Mapping[str, float] | None = None) -> list[int]:
        """Return indices, longest first; tests without a known duration come first of all.

        `weights` decide among equals.
        """
        known, heavy = self.nodeids, weights or {}

        def lightness(index: int) -> tuple[float, float]:
            return -known.get(nodeids[index], float("inf")), -heavy.get(nodeids[index], 0)

        return sorted(range(len(nodeids)), key=lightness)


_FORMAT = JsonFile(Durations, "a record of durations")


def record_file() -> Path:
    return cache_root() / "durations.json"


def load(path: Path | None = None) -> Durations:
    """Load the record. Returns an empty one when the file is absent or damaged."""
    try:
        return _FORMAT.read(path or record_file())
    except ConfigError:
        return Durations({}, {})


def record(took: Iterable[tuple[str, str, float]], path: Path | None = None) -> None:
    """Blend (name, node id, seconds) of a run into the record, with protection against concurrent runs."""
    file = path or record_file()
    with exclusive(file.with_suffix(".lock"), deadline=Deadline(10)):
        known = load(file)
        names, nodeids = dict(known.names), dict(known.nodeids)
        for name, nodeid, seconds in took:
            names[name] = _blend(names.get(name), seconds)
            nodeids[nodeid] = _blend(nodeids.get(nodeid), seconds)
        _FORMAT.write(file, Durations(names, nodeids))


def _blend(old: float | None, new: float) -> float:
    return round(new if old is None else old * _OLD_SHARE + new * (1 - _OLD_SHARE), 3)
