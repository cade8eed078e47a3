"""Shards of a run: `hash:m/n` by the name alone, `time:m/n` balanced by recorded durations."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from harness.errors import ConfigError

UNKNOWN_SECONDS = 60.0
"""Assumed duration of a test when no durations are recorded at all."""

_FORM = re.compile(r"(hash|time):(\d+)/(\d+)")
_FNV_OFFSET = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3


@dataclass(frozen=True)
class Shard:
    """The shard number `index` (from 1) of `count`."""

    by: str
    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        match = _FORM.fullmatch(text)
        if match and 1 <= int(match[2]) <= int(match[3]):
            return cls(by=match[1], index=int(match[2]), count=int(match[3]))
        raise ConfigError(
            f"{text!r} is no share of the tests",
            hint="write --sharding hash:M/N or time:M/N with 1 <= M <= N",
        )


def keep(names: Collection[str], sharding: str | None, durations: Mapping[str, float]) -> frozenset[str]:
    """Return the names in the shard that `sharding` names; all of them when it is empty."""
    if not sharding:
        return frozenset(names)
    share = Shard.parse(sharding)
    if share.by == "hash":
        return frozenset(name for name in names if fnv1_64(name) % share.count + 1 == share.index)
    return frozenset(by_time(names, durations, share.count)[share.index - 1])


def by_time(names: Iterable[str], durations: Mapping[str, float], count: int) -> list[list[str]]:
    """Distribute the names to `count` shards of similar duration: longest first, to the shortest shard.

    A name without a record counts as the median of those with one.
    """
    recorded = sorted(durations.values())
    usual = recorded[len(recorded) // 2] if recorded else UNKNOWN_SECONDS
    shares: list[list[str]] = [[] for _ in range(count)]
    load = [0.0] * count
    for name in sorted(names, key=lambda name: (-durations.get(name, usual), name)):
        least = load.index(min(load))
        shares[least].append(name)
        load[least] += durations.get(name, usual)
    return shares


def fnv1_64(text: str) -> int:
    """FNV-1, 64 bits (multiply, then xor), as Go's `fnv.New64`."""
    value = _FNV_OFFSET
    for byte in text.encode():
        value = (value * _FNV_PRIME & 0xFFFFFFFFFFFFFFFF) ^ byte
    return value
