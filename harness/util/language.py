"""Messages in the language of the user's locale, from the gettext catalogues in harness/locale.

A line that kola prints itself is written `tr("…")`. An error or a reason is an English sentence wherever it
is made, kept and reported; it is `localized` where a person is shown it. Names, numbers, and the lines that
the Go kola prints for programs stay as they are in every language.
"""

from __future__ import annotations

import functools
import gettext
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOMAIN = "kola"
CATALOGUES = Path(__file__).parents[1] / "locale"

_HOLE = re.compile(r"\{(\w+)\}")
_FEWEST_LETTERS = 5
_LONGEST = 1000
"""Characters of the longest text that is looked for; what is longer is no message of ours."""
_DEEPEST = 8
"""Levels of messages within messages."""
_VALUES = {"count": r"(\d+)", "kind": r"(\S+)"}
_BESIDE = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9/]|[A-Za-z0-9/][\u4e00-\u9fff]")
_JOINTS = (("; ", "；"), (": ", "："))


def tr(text: str, /, **values: object) -> str:
    """Return the text in the user's language, with the values in place of `{name}`.

    `text` is written out where it is used, so that the test of the catalogues finds it.
    """
    translated = _catalogue().gettext(text)
    return translated.format(**values) if values else translated


def localized(text: str) -> str:
    """Return a finished English message in the user's language, as far as the catalogue has it.

    The catalogue has `unit {unit} has failed` for what an f-string makes. A value that is a message itself is
    translated, too; one without a blank is a name, and left alone.
    """
    if not isinstance(_catalogue(), _Catalogue):
        return text
    whole = _found(text)
    return whole if whole is not None else "\n".join(_sentence(line) for line in text.split("\n"))


@dataclass(frozen=True)
class _Form:
    """A message with values: the texts around them, their names, and the translation."""

    pattern: str
    names: tuple[str, ...]
    longest: str
    translation: str

    @classmethod
    def of(cls, message: str, translation: str) -> _Form:
        pieces = _HOLE.split(message)
        texts, names = pieces[::2], pieces[1::2]
        pieces[::2] = (re.escape(text) for text in texts)
        pieces[1::2] = (_VALUES.get(name, "(.*?)") for name in names)
        return cls("".join(pieces), tuple(names), max(texts, key=len), translation)

    def applied(self, text: str, depth: int) -> str | None:
        """Return the translation with the values that stand in the text, or None for another message."""
        if self.longest not in text:
            return None
        found = re.fullmatch(self.pattern, text, re.DOTALL)
        if found is None:
            return None
        values = dict(zip(self.names, found.groups(), strict=True))
        parts = _HOLE.split(self.translation)
        parts[1::2] = [_value(values.get(name, ""), depth) for name in parts[1::2]]
        return functools.reduce(_joined, parts)


class _Catalogue(gettext.GNUTranslations):
    """A catalogue that also lists its messages with values, the most definite first."""

    forms: tuple[_Form, ...] = ()

    def _parse(self, fp: Any) -> None:
        super()._parse(fp)
        catalog: dict[object, str] = self._catalog  # type: ignore[attr-defined]  # it has no other list
        texts = [(key, value) for key, value in catalog.items() if isinstance(key, str) and letters(key)]
        texts.sort(key=lambda pair: -letters(pair[0]))
        self.forms = tuple(_Form.of(*pair) for pair in texts if _HOLE.search(pair[0]))


def letters(message: str) -> int:
    """Return the number of letters of a message outside its values; 0 for too few to recognize it by."""
    count = sum(character.isalpha() for character in _HOLE.sub("", message))
    return count if count >= _FEWEST_LETTERS else 0


@functools.cache
def _catalogue() -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, CATALOGUES, class_=_Catalogue, fallback=True)


def _found(text: str, depth: int = 0) -> str | None:
    """Return the translation of a message that the catalogue has, or None."""
    catalogue = _catalogue()
    assert isinstance(catalogue, _Catalogue)
    inner = text.strip()
    if not 0 < len(inner) <= _LONGEST:
        return None
    translated = catalogue.gettext(inner)
    if translated == inner:
        translated = next((said for form in catalogue.forms if (said := form.applied(inner, depth))), "")
    before, after = text[: text.index(inner)], text[text.index(inner) + len(inner) :]
    return f"{before}{translated}{after}" if translated else None


def _sentence(text: str, depth: int = 0) -> str:
    """Translate a message, or else its parts around a semicolon or a colon."""
    if len(text) > _LONGEST or depth > _DEEPEST:
        return text
    whole = _found(text, depth)
    if whole is not None:
        return whole
    for joint, there in _JOINTS:
        left, found, right = text.partition(joint)
        if found:
            said = (_value(left, depth), _value(right, depth))
            return there.join(said) if said != (left, right) else text
    return text


def _joined(left: str, right: str) -> str:
    """Join two texts, with a blank between a Chinese character and a word of Latin letters."""
    meets = _BESIDE.search(left[-1:] + right[:1])
    return f"{left} {right}" if meets else left + right


def _value(text: str, depth: int) -> str:
    return _sentence(text, depth + 1) if " " in text.strip() else text
