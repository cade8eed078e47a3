"""Our media are those of the real installer, byte for byte. Skipped on hosts without one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from isolab import live_iso, needs_xorriso

from harness.artifact.distro import NESTOS
from harness.installer.initrd import wrap_ignition, wrap_network
from harness.installer.isoimage import Embedded, IsoImage, network_dir
from harness.installer.kargs import KargsEdit
from harness.installer.tool import InstallerTool

pytestmark = needs_xorriso

NAMES_OF_THE_TOOL = "EFI/openEule"
"""The real tool looks a name up as it is: an ISO of level 1 has no longer one."""
CONFIG = b'{"ignition": {"version": "3.3.0"}}'
KEYFILES = {"b.nmconnection": "[connection]\nid=b\n", "a.nmconnection": "1234", "empty.nmconnection": ""}


@pytest.fixture(scope="module")
def tool() -> InstallerTool:
    tool = InstallerTool.find(NESTOS)
    if tool is None:
        pytest.skip("this host has no nestos-installer")
    return tool


def written(directory: Path, name: str, content: bytes) -> Path:
    path = directory / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "config",
    [CONFIG, b"{}", b"", b"1234", random.Random(1).randbytes(70_001), b"x" * 300_000],
    ids=["padded", "two", "empty", "aligned", "random", "large"],
)
def test_a_wrapped_config(tool: InstallerTool, tmp_path: Path, config: bytes) -> None:
    given = written(tmp_path, "c.ign", config)
    assert tool.run("pxe", "ignition", "wrap", "-i", given) == wrap_ignition(config)


def test_wrapped_keyfiles(tool: InstallerTool, tmp_path: Path) -> None:
    words: list[str | Path] = []
    for name, text in KEYFILES.items():
        words += ["-k", written(tmp_path, name, text.encode())]
    assert tool.run("pxe", "network", "wrap", *words) == wrap_network(KEYFILES, network_dir(NESTOS))


def test_an_image_with_everything(tool: InstallerTool, tmp_path: Path) -> None:
    image = IsoImage(live_iso(tmp_path, vendor=NAMES_OF_THE_TOOL), NESTOS)
    theirs = image.copy(Embedded(), tmp_path / "theirs.iso")
    tool.run("iso", "ignition", "embed", "-i", written(tmp_path, "c.ign", CONFIG), theirs)
    for name in ("b.nmconnection", "a.nmconnection"):
        written(tmp_path, name, KEYFILES[name].encode())
    tool.run(
        "iso",
        "network",
        "embed",
        "-k",
        tmp_path / "b.nmconnection",
        "-k",
        tmp_path / "a.nmconnection",
        theirs,
    )
    edit = KargsEdit(
        append=("console=ttyS0,115200n8",), delete=("ignition.firstboot",), replace=("console=tty1=tty0",)
    )
    tool.run(
        "iso", "kargs", "modify", "-a", edit.append[0], "-d", edit.delete[0], "-r", edit.replace[0], theirs
    )
    keyfiles = {name: KEYFILES[name] for name in ("a.nmconnection", "b.nmconnection")}
    ours = image.copy(Embedded(CONFIG, keyfiles, edit), tmp_path / "ours.iso")
    assert ours.read_bytes() == theirs.read_bytes()
