"""Reading the sources of a build: manifests and the layers they name."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.errors import ConfigError
from testsuites.build.sources import Treefile, content, overlay

MANIFESTS = {
    "manifest.yaml": "include: manifests/nestos.yaml\nostree-layers: [overlay/15nestos]\n",
    "manifests/nestos.yaml": (
        "include: [base.yaml]\n"
        "arch-include: {x86_64: pc.yaml, aarch64: [arm.yaml]}\n"
        "remove-files: [usr/share/man, /etc/mtab]\n"
        "exclude-packages: [dnf]\n"
        "ostree-layers: [overlay/05core]\n"
    ),
    "manifests/base.yaml": "exclude-packages: [perl]\n",
    "manifests/pc.yaml": "remove-files: [usr/lib/pc]\n",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name, text in MANIFESTS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for name, text in {
        "05core/statoverride": "=288 /etc/sudoers\n",
        "05core/etc/issue": "core\n",
        "05core/usr/lib/mark": "core\n",
        "05core/usr/share/man/man1/x.1": "page\n",
        "05core/etc/mtab": "gone\n",
        "15nestos/usr/lib/mark": "nestos\n",
        "README.md": "",
    }.items():
        path = tmp_path / "overlay.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "overlay.d/15nestos/usr/lib/link").symlink_to("mark")
    return tmp_path


def test_a_manifest_is_read_with_all_it_includes(config: Path) -> None:
    assert Treefile.read(config / "manifest.yaml", "x86_64") == Treefile(
        remove_files=("usr/lib/pc", "usr/share/man", "usr/etc/mtab"),
        exclude_packages=("perl", "dnf"),
        layers=("overlay/05core", "overlay/15nestos"),
    )


def test_a_manifest_that_is_none_is_the_users_error(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"arm\.yaml: cannot be read"):
        Treefile.read(config / "manifest.yaml", "aarch64")
    (config / "manifests/pc.yaml").write_text("- a list\n")
    with pytest.raises(ConfigError, match=r"pc\.yaml: is no treefile"):
        Treefile.read(config / "manifest.yaml", "x86_64")


def test_the_image_has_the_uppermost_of_each_file_and_nothing_removed(config: Path) -> None:
    treefile = Treefile.read(config / "manifest.yaml", "x86_64")
    layers = overlay(config, treefile)
    assert [layer.name for layer in layers] == ["05core", "15nestos"]
    wanted = content(layers, treefile)
    assert wanted.without(content(layers[1:], treefile)) == content(layers[:1], treefile).without(
        content(layers[1:], treefile)
    )
    assert wanted.links == {"usr/lib/link": "mark"}
    assert wanted.sum_list == "".join(
        f"{hashlib.sha256(text).hexdigest()}  {path}\n"
        for path, text in (("usr/etc/issue", b"core\n"), ("usr/lib/mark", b"nestos\n"))
    )
