"""Metadata in a test's own comments: `# kola: {…}` on one line, or a `## kola:` block of YAML."""

from __future__ import annotations

import re
from pathlib import Path

from harness.errors import ConfigError
from kola.select.document import Fields, json_fields, yaml_fields

_JSON_MARK = b"# kola:"
_YAML_MARK = b"## kola:"
_YAML_LINE = b"## "
_KEY_LINE = re.compile(rb"##\s+[a-z][A-Za-z]+:(\s|$)")
_TEXT_PROBE = 8192  # a NUL byte in here makes the file a binary: it has no comments


def inline_fields(executable: Path) -> Fields:
    """The keys under the first marker of the file, wherever it stands; none if there is no marker."""
    try:
        content = executable.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=executable) from error
    if _JSON_MARK not in content or b"\0" in content[:_TEXT_PROBE]:
        return {}
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.startswith(_JSON_MARK):
            text = line.removeprefix(_JSON_MARK).decode(errors="replace").strip()
            return json_fields(text, file=executable, first_line=number)
        if line.startswith(_YAML_MARK):
            _require_bare(line, executable, number)
            return _yaml_block(lines[number:], executable, number + 1)
    return {}


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
        block.append(line.removeprefix(_YAML_LINE).decode(errors="replace"))
    return yaml_fields("\n".join(block) + "\n", file=file, first_line=first_line)


def _require_end(line: bytes, after: list[bytes], file: Path, number: int) -> None:
    """An editor that strips `## ` to `##` would cut the block short in silence: say so if keys follow."""
    if line.rstrip() == b"##" and after and _KEY_LINE.match(after[0]):
        raise ConfigError(
            "a bare `##` ends the metadata, yet more keys follow",
            file=file,
            line=number,
            hint="remove the line",
        )
