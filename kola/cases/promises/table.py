"""The table of promises, `testsuites/promises.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.util.suggest import near
from harness.util.userfile import read_user_text

FILE = "promises.toml"


@dataclass(frozen=True)
class Promise:
    """A statement that a test can prove. `sections` are those of the guide that make it.

    `own_tests` are files of kola's own tests, for a promise about kola instead of the OS.
    """

    sections: tuple[str, ...]
    key: str
    text: str
    own_tests: tuple[str, ...] = ()

    @property
    def citations(self) -> tuple[str, ...]:
        """All full citations of it, such as `7.4.3#link`."""
        return tuple(f"{section}#{self.key}" for section in self.sections)


@dataclass(frozen=True)
class Promises:
    """The promises in the guide's order."""

    promises: tuple[Promise, ...]

    @classmethod
    def load(cls, path: Path) -> Promises:
        """Read the table. Raises ConfigError for a file that is not one, and for a duplicate promise."""
        try:
            document = tomllib.loads(read_user_text(path))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"not TOML: {error}", file=path) from error
        entries = document.get("promise")
        if not isinstance(entries, list) or set(document) != {"promise"}:
            raise ConfigError("expected a list of [[promise]] and nothing else", file=path)
        read = tuple(_promise(entry, path) for entry in entries)
        cited: set[str] = set()
        for citation in (citation for promise in read for citation in promise.citations):
            if citation in cited:
                raise ConfigError(f"{citation} is there twice", file=path)
            cited.add(citation)
        return cls(read)

    def find(self, citation: str) -> Promise:
        """Return the promise cited as `7.4.3#link`, or as `8.2.1` when that section makes only one.

        Raises ConfigError that suggests what could have been meant.
        """
        section, marked, _ = citation.partition("#")
        of_section = [promise for promise in self.promises if section in promise.sections]
        if not marked and len(of_section) == 1:
            return of_section[0]
        found = [promise for promise in of_section if citation in promise.citations]
        if found:
            return found[0]
        choices = [f"{section}#{promise.key}" for promise in of_section]
        if not of_section:
            sections = sorted({section for promise in self.promises for section in promise.sections})
            likely = near(section, sections, count=3) or sections
            raise ConfigError(
                f"no promise of section {section!r} is known", hint=f"known: {', '.join(likely)}"
            )
        what = "is not known" if marked else "makes several promises"
        raise ConfigError(f"{citation!r} {what}", hint=f"cite one of {', '.join(choices)}")


def _promise(entry: Any, path: Path) -> Promise:
    try:
        sections, key, text = entry.pop("sections"), entry.pop("key"), entry.pop("text")
        own_tests = entry.pop("own_tests", [])
    except (AttributeError, KeyError) as error:
        raise ConfigError(f"a [[promise]] has sections, key and text: {entry}", file=path) from error
    listed = _is_words(sections) and sections and _is_words(own_tests)
    if entry or not listed or not (isinstance(key, str) and isinstance(text, str)):
        raise ConfigError(f"the [[promise]] {key!r} is not a list of sections, a key and a text", file=path)
    return Promise(tuple(sections), key, text, tuple(own_tests))


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
