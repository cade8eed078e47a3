"""`src/config/kola-facts.yaml`: approved differences between builds, with reason and date."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from harness.errors import ConfigError
from harness.util.userfile import read_user_text
from harness.util.yamltext import load_yaml

FILE = "kola-facts.yaml"


@dataclass(frozen=True)
class Approval:
    """An approval: differences in `category` of items that match the shell pattern `item` are intended."""

    category: str
    item: str
    reason: str
    approved: date

    def covers(self, category: str, item: str) -> bool:
        return category == self.category and fnmatch.fnmatchcase(item, self.item)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    category: str = Field(min_length=1)
    item: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    approved: date


class _Document(RootModel[list[_Entry]]):
    pass


def load_approvals(path: Path) -> list[Approval]:
    """Return the entries of the file; none when there is no file. Raises ConfigError."""
    if not path.exists():
        return []
    document = load_yaml(read_user_text(path), file=path)
    try:
        entries = _Document.model_validate(document or []).root
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ConfigError(
            f"{where}: {first['msg']}",
            file=path,
            hint="each entry has category, item, reason and approved (a date such as 2025-09-01)",
        ) from error
    return [Approval(one.category, one.item, one.reason, one.approved) for one in entries]
