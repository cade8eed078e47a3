"""Facts about the system in a build directory's `src/config`, used when its builds lack them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.util.jsontext import parse_json
from harness.util.quote import quote
from harness.util.userfile import read_user_text

_VARIANT = "coreos-assembler.config-variant"
_NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Variables:
    """`variables` of manifest.yaml, as written there; None for a missing one."""

    stream: str | None = None
    osversion: str | None = None


def read_variables(workdir: Path) -> Variables:
    """Return the variables; empty without a manifest. Raises ConfigError for one that cannot be read."""
    file = manifest_file(workdir)
    text = _text(file)
    if text is None:
        return Variables()
    from harness.util.yamltext import compose_yaml, text_under

    root = compose_yaml(text, file=file, ignore_further=True)
    return Variables(text_under(root, "variables", "stream"), text_under(root, "variables", "osversion"))


def manifest_file(workdir: Path) -> Path:
    """Return `src/config/manifest.yaml`, or `manifest-VARIANT.yaml` when `src/config.json` names a
    variant.
    """
    return workdir / "src/config" / _manifest_name(workdir / "src/config.json")


def _manifest_name(file: Path) -> str:
    text = _text(file)
    if text is None:
        return "manifest.yaml"
    document = parse_json(text, file=file)
    variant = document.get(_VARIANT) if isinstance(document, dict) else None
    if variant is not None and not (isinstance(variant, str) and _NAME.fullmatch(variant)):
        raise ConfigError(f"{_VARIANT}: {quote(variant)} is not the name of a variant", file=file)
    return f"manifest-{variant}.yaml" if variant else "manifest.yaml"


def _text(file: Path) -> str | None:
    return read_user_text(file) if os.path.lexists(file) else None
