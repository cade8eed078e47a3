"""Metadata in a test's comments: `# kola: {…}` on one line, or a `## kola:` block of YAML."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import ConfigError
from harness.util.userfile import LIMIT, open_user_file
from kola.cases.document import Fields, json_fields, yaml_fields

_JSON_MARK = b"# kola:"
_YAML_MARK = b"## kola:"
_YAML_LINE = b"## "
_KEY_LINE = re.compile(rb"##\s+[a-z][A-Za-z]+:(\s|$)")
_TEXT_PROBE = 8192  # a file with a NUL byte in these bytes is a binary, without comments


def inline_fields(executable: Path) -> Fields:
    """Return the keys under the first marker of the file; none if there is no marker."""
    content = _text_of(executable)
    if _JSON_MARK not in content or b"\0" in content[:_TEXT_PROBE]:
        return {}
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.startswith(_JSON_MARK):
            text = _decoded(line.removeprefix(_JSON_MARK), executable, number).strip()
            return json_fields(text, file=executable, first_line=number, comment=True)
        if line.startswith(_YAML_MARK):
            _require_bare(line, executable, number)
            return _yaml_block(lines[number:], executable, number + 1)
    return {}


def _text_of(executable: Path) -> bytes:
    """Return the file's content; for a binary, only its beginning."""
    with open_user_file(executable) as file:
        head = file.read(_TEXT_PROBE)
        return head if b"\0" in head else head + file.read(LIMIT)


def _decoded(line: bytes, file: Path, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ConfigError("metadata that is not UTF-8", file=file, line=number) from None


def _require_bare(mark: bytes, file: Path, line: int) -> None:
    rest = mark.removeprefix(_YAML_MARK).strip()
    if rest and not rest.startswith(b"#"):
        raise ConfigError(
            "keys on the line of `## kola:` itself are not read",
            file=file,
            line=line,
            hint="put each key on a line of its own that starts with `## `",
        )


def _yaml_block(lines: list[bytes], file: Path, first_line: int) -> Fields:
    block: list[str] = []
    for number, line in enumerate(lines, start=first_line):
        if line.startswith((_JSON_MARK, _YAML_MARK)):
            raise ConfigError("a second block of metadata", file=file, line=number, hint="keep one of them")
        if not line.startswith(_YAML_LINE):
            _require_end(line, lines[len(block) + 1 :], file, number)
            break
        block.append(_decoded(line.removeprefix(_YAML_LINE), file, number))
    return yaml_fields("\n".join(block) + "\n", file=file, first_line=first_line)


def _require_end(line: bytes, after: list[bytes], file: Path, number: int) -> None:
    """Raise ConfigError if keys follow the block: an editor that strips `## ` to `##` would silently shorten
    it.
    """
    if line.rstrip() == b"##" and after and _KEY_LINE.match(after[0]):
        raise ConfigError(
            "a bare `##` ends the metadata, yet more keys follow",
            file=file,
            line=number,
            hint="remove the line",
        )
