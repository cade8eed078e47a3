"""What a build directory's `src/config` says of the system it makes, where its builds do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError

_VARIANT = "coreos-assembler.config-variant"


@dataclass(frozen=True)
class Variables:
    """`variables` of manifest.yaml, as written there; None where it has none."""

    stream: str | None = None
    osversion: str | None = None


def read_variables(workdir: Path) -> Variables:
    """Nothing where there is no manifest; ConfigError for one that cannot be read."""
    file = manifest_file(workdir)
    text = _text(file)
    if text is None:
        return Variables()
    import yaml

    try:
        document = yaml.load(text, yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise ConfigError(f"not YAML: {getattr(error, 'problem', error)}", file=file, line=line) from error
    variables = document.get("variables") if isinstance(document, Mapping) else None
    if not isinstance(variables, Mapping):
        return Variables()
    return Variables(_word(variables.get("stream")), _word(variables.get("osversion")))


def manifest_file(workdir: Path) -> Path:
    """`src/config/manifest.yaml`, or `manifest-VARIANT.yaml` where `src/config.json` names a variant."""
    return workdir / "src/config" / _manifest_name(workdir / "src/config.json")


def _manifest_name(file: Path) -> str:
    text = _text(file)
    if text is None:
        return "manifest.yaml"
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"not JSON: {error.msg}", file=file, line=error.lineno) from error
    variant = document.get(_VARIANT) if isinstance(document, dict) else None
    return f"manifest-{variant}.yaml" if variant else "manifest.yaml"


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", file=file) from error


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
