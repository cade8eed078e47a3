"""A parser of systemd unit files, exactly as strict as Ignition's."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_LINE = 2048


@dataclass(frozen=True, slots=True)
class UnitOption:
    section: str
    name: str
    value: str


def parse_unit(text: str) -> tuple[UnitOption, ...]:
    """Return the options in order. Raises ValueError for text that Ignition would refuse."""
    return tuple(_Reader(text).options())


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def options(self) -> list[UnitOption]:
        found: list[UnitOption] = []
        section: str | None = None
        while self._at < len(self._text):
            self._check_line_length()
            character = self._text[self._at]
            if character == "[":
                section = self._section()
            elif character in "#;":
                self._skip_comment()
            elif section is None or character.isspace():
                self._at += 1
            else:
                found.append(UnitOption(section, self._name(), self._value()))
        return found

    def _section(self) -> str:
        end = self._text.find("]", self._at)
        if end < 0:
            raise ValueError("a section header has no closing bracket")
        section = self._text[self._at + 1 : end]
        self._at = end + 1
        rest = self._line().strip()
        if rest:
            raise ValueError(f"{rest!r} follows the section header [{section}]")
        return section

    def _name(self) -> str:
        equals = self._text.find("=", self._at)
        line_end = min(
            (at for at in (self._text.find("\n", self._at), self._text.find("\r", self._at)) if at >= 0),
            default=len(self._text),
        )
        if not 0 <= equals < line_end:
            raise ValueError(f"{self._text[self._at : line_end].strip()!r} is not of the form Name=value")
        name = self._text[self._at : equals].strip()
        self._at = equals + 1
        return name

    def _value(self) -> str:
        value = ""
        while True:
            line = self._line()
            if line.strip():
                value += line
                if line.endswith("\\"):
                    value += "\n"
                    continue
            return value.strip()

    def _skip_comment(self) -> None:
        while self._line().removesuffix(" ").endswith("\\"):
            pass

    def _line(self) -> str:
        end = self._text.find("\n", self._at)
        line = self._text[self._at : end if end >= 0 else None]
        self._at = end + 1 if end >= 0 else len(self._text)
        return line.removesuffix("\r")

    def _check_line_length(self) -> None:
        ahead = self._text[self._at : self._at + _LONGEST_LINE]
        if len(ahead) == _LONGEST_LINE and "\n" not in ahead and "\r" not in ahead:
            raise ValueError(f"a line is longer than {_LONGEST_LINE} characters")
