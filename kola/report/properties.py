"""`properties.json`: the options of a run, in the format of mantle's cmd/kola (writeProps)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.util.jsonfile import JsonFile
from kola.report.files import write_json
from kola.report.layout import PROPERTIES_FILE


@dataclass(frozen=True, kw_only=True)
class Properties:
    """The properties of a run. `cmdline` is argv, `options` are its options without names of tests.

    `command` is the kola command that was typed, `tests` are the names of the chosen tests. The original's
    cloud platforms are not supported.
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
    command: str = "run"
    options: Mapping[str, Any] = field(default_factory=dict)
    tests: Sequence[str] = ()


def write_properties(properties: Properties, path: Path) -> None:
    """Write `properties.json`: first kola's keys under kola's names, then ours."""
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
        "command": properties.command,
        "options": dict(properties.options),
        "tests": list(properties.tests),
    }
    write_json(path, data, indent=4)


@dataclass(frozen=True, kw_only=True)
class Typed:
    """The command, options and tests of an earlier run; empty when the Go kola wrote the properties."""

    command: str = "run"
    options: Mapping[str, Any] = field(default_factory=dict)
    tests: tuple[str, ...] = ()


_FORMAT = JsonFile(Typed, "the properties of a run")


def read_typed(output: Path) -> Typed:
    """Read the command, options and tests of the run with this output directory."""
    try:
        return _FORMAT.read(output / PROPERTIES_FILE)
    except ConfigError:
        return Typed()
