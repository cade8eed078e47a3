"""JSON files with typed content: written from values, checked by pydantic when they are read."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from harness.errors import ConfigError
from harness.util.jsontext import parse_json
from harness.util.userfile import LIMIT, read_user_text

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class JsonFile(Generic[T]):
    """The format of a file, or of a line in one: JSON whose content is of type `content`.

    `name` completes the sentence "not …" about a file of another content. pydantic is imported, and the type
    prepared, at the first use.
    """

    def __init__(self, content: type[T], name: str, *, limit: int = LIMIT) -> None:
        """`limit` is the size in bytes of the largest file that is read."""
        self._content = content
        self._name = name
        self._limit = limit

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter

        return TypeAdapter(self._content)

    def dump(self, value: T) -> str:
        """Return the value as one line of JSON, without a line end."""
        return self._adapter.dump_json(value).decode()

    def load(self, text: str, *, file: Path | str | None = None) -> T:
        """Return the value of a text. Raises ConfigError with the place of the first error."""
        from pydantic import ValidationError

        try:
            return self._adapter.validate_python(parse_json(text, file=file))
        except ConfigError as error:
            raise ConfigError(f"not {self._name}: {error.message}", file=file, line=error.line) from None
        except ValidationError as error:
            raise ConfigError(f"not {self._name}: {_first(error)}", file=file) from None

    def read(self, path: Path) -> T:
        """Return the value of a file. Raises ConfigError when it cannot be read, or has another content."""
        return self.load(read_user_text(path, limit=self._limit), file=path)

    def write(self, path: Path, value: T) -> None:
        """Replace the file: a reader sees the old content or the new. Raises OSError."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_text(self.dump(value), encoding="utf-8")
        fresh.replace(path)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    if first["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {first['msg']}" if where else first["msg"]
