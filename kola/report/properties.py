"""`properties.json`: how a run was started, in the format of mantle's cmd/kola (writeProps)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kola.report.files import write_json
from kola.report.layout import PROPERTIES_FILE


@dataclass(frozen=True, kw_only=True)
class Properties:
    """The properties of a run. `cmdline` is argv, `options` what it says besides names of tests.

    The clouds of the original are no platforms of ours.
    """

    cmdline: Sequence[str]
    platform: str
    distro: str
    oscontainer: str = ""
    qemu_image: str = ""
    qemu_image_size: str = ""
    qemu_swtpm: bool = False
    build: str = ""
    arch: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def write_properties(properties: Properties, path: Path) -> None:
    """Write `properties.json`; kola's keys first and as it names them, those after are ours."""
    data = {
        "cmdline": list(properties.cmdline),
        "platform": properties.platform,
        "distro": properties.distro,
        "board": "",
        "oscontainer": properties.oscontainer,
        "qemu": {
            "image": properties.qemu_image,
            "imageSize": properties.qemu_image_size,
            "swtpm": properties.qemu_swtpm,
        },
        "build": properties.build,
        "arch": properties.arch,
        "options": dict(properties.options),
    }
    write_json(path, data, indent=4)


def read_options(output: Path) -> dict[str, Any]:
    """The options of the run that this output directory is of; none where the Go kola wrote it."""
    try:
        content = json.loads((output / PROPERTIES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    options = content.get("options") if isinstance(content, dict) else None
    return options if isinstance(options, dict) else {}
