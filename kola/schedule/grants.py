"""Grants: what one process has reserved for a test, on one host."""

from __future__ import annotations

from dataclasses import dataclass

from kola.schedule.need import Need, NeedRow

GrantRow = tuple[NeedRow, str, str]
"""A need, and the key and the place of the host on which it is granted."""


@dataclass(frozen=True)
class Grant:
    """A need granted to `label` of process `owner`, on the host of this key and place."""

    owner: int
    label: str
    need: Need
    host: str
    place: str

    def to_row(self) -> GrantRow:
        return self.need.to_row(), self.host, self.place

    @classmethod
    def from_row(cls, owner: int, label: str, row: GrantRow) -> Grant:
        need, host, place = row
        return cls(owner, label, Need.from_row(need), host, place)
