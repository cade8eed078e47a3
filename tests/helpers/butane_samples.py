"""Butane texts translated, or refused."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from harness.butane import Translation, translate
from harness.errors import ConfigError
from harness.ignition import dataurl


def run(
    body: str, head: str = "fcos 1.5.0", *, files: Path | None = None, strict: bool = False
) -> Translation:
    variant, version = head.split()
    text = f"variant: {variant}\nversion: {version}\n{textwrap.dedent(body)}"
    return translate(text, files_dir=files, strict=strict, source=Path("config.bu"))


def result(body: str, head: str = "fcos 1.5.0", *, files: Path | None = None) -> dict[str, Any]:
    return run(body, head, files=files).config.to_dict()


def refused(
    body: str, head: str = "fcos 1.5.0", *, files: Path | None = None, strict: bool = False
) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        run(body, head, files=files, strict=strict)
    return caught.value


def contents_of(file: dict[str, Any]) -> bytes:
    return dataurl.unpack(file["contents"]["source"], file["contents"].get("compression"))
