"""`properties.json`: how a run was started, in the format of mantle's cmd/kola (writeProps)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kola.report.files import write_json


@dataclass(frozen=True, kw_only=True)
class Properties:
    """The properties of a run. `cmdline` is argv; the clouds of the original are no platforms of ours."""

    cmdline: Sequence[str]
    platform: str
    distro: str
    oscontainer: str = ""
    qemu_image: str = ""
    qemu_image_size: str = ""
    qemu_swtpm: bool = False
    build: str = ""
    arch: str = ""


def write_properties(properties: Properties, path: Path) -> None:
    """Write `properties.json`; kola's keys first and as it names them, `build` and `arch` are ours."""
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
    }
    write_json(path, data, indent=4)
