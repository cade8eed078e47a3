"""How long tests took in earlier runs of this user: what orders the next run."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.util.deadline import Deadline
from harness.util.locks import exclusive
from harness.util.paths import cache_root

_OLD_SHARE = 0.5  # of the average that the past keeps


@dataclass(frozen=True)
class Durations:
    """Seconds by test name and by pytest node id."""

    names: Mapping[str, float]
    nodeids: Mapping[str, float]

    def order(self, nodeids: Sequence[str], weights: Mapping[str, float] | None = None) -> list[int]:
        """Indices, longest first; what was never timed comes first of all. `weights` decide among equals."""
        known, heavy = self.nodeids, weights or {}

        def lightness(index: int) -> tuple[float, float]:
            return -known.get(nodeids[index], float("inf")), -heavy.get(nodeids[index], 0)

        return sorted(range(len(nodeids)), key=lightness)


def record_file() -> Path:
    return cache_root() / "durations.json"


def load(path: Path | None = None) -> Durations:
    """What is known; nothing when the file is absent or damaged, for it can be learnt anew."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        data = json.loads((path or record_file()).read_text())
        return Durations(
            {str(name): float(seconds) for name, seconds in data["names"].items()},
            {str(nodeid): float(seconds) for nodeid, seconds in data["nodeids"].items()},
        )
    return Durations({}, {})


def record(took: Iterable[tuple[str, str, float]], path: Path | None = None) -> None:
    """Blend (name, node id, seconds) of a run into the record, safely between runs."""
    file = path or record_file()
    with exclusive(file.with_suffix(".lock"), deadline=Deadline(10)):
        known = load(file)
        names, nodeids = dict(known.names), dict(known.nodeids)
        for name, nodeid, seconds in took:
            names[name] = _blend(names.get(name), seconds)
            nodeids[nodeid] = _blend(nodeids.get(nodeid), seconds)
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"names": names, "nodeids": nodeids}))
        fresh.replace(file)


def _blend(old: float | None, new: float) -> float:
    return round(new if old is None else old * _OLD_SHARE + new * (1 - _OLD_SHARE), 3)
