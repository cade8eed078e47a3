"""The parts of the live artifacts that need no build: renaming, archives, boot configurations, refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from harness.errors import ConfigError, InfrastructureError
from harness.installer import cpio
from harness.reference import live
from harness.reference.build.arch import arch_named
from harness.reference.build.recipe import HERE, recipe_hash
from harness.reference.live import archive, installer, iso, renaming

MANIFEST = (
    '[package]\nname = "coreos-installer"\nrust-version = "1.70.0"\n\n[[bin]]\nname = "coreos-installer"\n'
)


def crate(directory: Path, manifest: str = MANIFEST) -> Path:
    for name in ("src/live", "systemd", "scripts"):
        (directory / name).mkdir(parents=True)
    (directory / "src/live/embed.rs").write_text('const A: &str = "coreos/igninfo.json";\nfn b() {}\n')
    (directory / "src/source.rs").write_text(
        '"https://builds.coreos.fedoraproject.org/streams/"\nCOREOS CoreOS\n'
    )
    (directory / "systemd/coreos-installer.service").write_text("Description=CoreOS Installer\n")
    (directory / "scripts/coreos-installer-service").write_text("karg coreos.inst.install_dev\n")
    (directory / "Cargo.toml").write_text(manifest)
    (directory / "Cargo.lock").write_text('[[package]]\nname = "coreos-installer"\nversion = "0.20.0"\n')
    return directory


def test_the_crate_gets_nestos_names_and_nothing_else_changes(tmp_path: Path) -> None:
    unpacked = crate(tmp_path)
    assert renaming.rename_crate(unpacked) == 4
    assert (
        unpacked / "src/live/embed.rs"
    ).read_text() == 'const A: &str = "nestos/igninfo.json";\nfn b() {}\n'
    assert (unpacked / "systemd/nestos-installer.service").read_text() == "Description=NestOS Installer\n"
    assert (unpacked / "scripts/nestos-installer-service").read_text() == "karg nestos.inst.install_dev\n"
    manifest = (unpacked / "Cargo.toml").read_text()
    assert manifest.count('name = "nestos-installer"') == 2
    # The lock file knows the package by its name.
    assert 'name = "nestos-installer"' in (unpacked / "Cargo.lock").read_text()


def test_the_stream_address_stays(tmp_path: Path) -> None:
    renaming.rename_crate(crate(tmp_path))
    source = (tmp_path / "src/source.rs").read_text()
    assert source == '"https://builds.coreos.fedoraproject.org/streams/"\nNESTOS NestOS\n'


def test_another_crate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="not what was expected"):
        renaming.rename_crate(crate(tmp_path, manifest='[package]\nname = "other"\n'))


def test_the_compiler_a_crate_needs() -> None:
    assert renaming.minimum_rust(MANIFEST) == "1.70.0"
    assert renaming.minimum_rust("[package]\n") == ""


def test_the_squashfs_begins_where_the_initramfs_mounts_it(tmp_path: Path) -> None:
    squashfs, stamp = tmp_path / "squashfs", tmp_path / "stamp"
    squashfs.write_bytes(b"hsqs" + b"x" * 1001)
    stamp.write_text("1\n")
    target = tmp_path / "rootfs.img"
    archive.write_plain([("root.squashfs", squashfs), ("etc/nestos-live-rootfs", stamp)], target)
    content = target.read_bytes()
    assert content[124:128] == b"hsqs"
    # By the size in its header the initramfs finds the members behind it.
    size = int(content[54:62], 16)
    assert size == 1005
    assert content[(124 + size + 3) // 4 * 4 :].startswith(b"070701")
    assert cpio.unpack(content) == {
        "root.squashfs": squashfs.read_bytes(),
        "etc/nestos-live-rootfs": b"1\n",
    }


def test_hashes_for_a_root_file_system_that_is_fetched(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(2097152) + b"rest")
    first, *hashes = archive.stream_hashes(image).splitlines()
    assert first == "stream-hash sha256 2097152"
    assert hashes == [hashlib.sha256(part).hexdigest() for part in (bytes(2097152), b"rest")]


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nestos-installer"):
        installer.given(tmp_path / "nestos-installer")
    lonely = tmp_path / "nestos-installer"
    lonely.write_text("")
    lonely.chmod(0o755)
    with pytest.raises(ConfigError, match="rdcore"):
        installer.given(lonely)


def test_no_registry_is_one_message_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_argv: object, **_options: object) -> str:
        raise InfrastructureError("cargo failed", cause="reference-build-failed", evidence="no route to host")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(installer, "run", refuse)
    with pytest.raises(ConfigError, match="reaches no registry") as raised:
        installer.built("x86_64", lambda _line: None)
    assert "--installer FILE" in str(raised.value)
    assert "no route to host" in str(raised.value)
    # Nothing half-built stays.
    assert [path.name for path in (tmp_path / "kola/installer").iterdir()] == [".0.20.0-1-x86_64.lock"]


def test_boot_configurations_have_areas_where_kargs_json_says(tmp_path: Path) -> None:
    files = iso.LiveFiles("nestos-1", tmp_path, tmp_path, tmp_path, ("mitigations=auto,nosmt",))
    ours = "ignition.firstboot ignition.platform.id=metal console=tty1"
    assert files.default_arguments == (f"mitigations=auto,nosmt nestos.liveiso=nestos-1 {ours}")
    for source in ("isolinux.cfg", "grub.cfg"):
        described = iso.boot_config(source, source, files, tmp_path)
        content = (tmp_path / source).read_bytes()
        offset = described["offset"]
        assert isinstance(offset, int)
        area = content[offset : offset + iso.KARGS_SIZE].decode()
        assert area.rstrip("#") == files.default_arguments + "\n"
        assert content[offset + iso.KARGS_SIZE :].startswith(b" NESTOS_KARG_EMBED_AREA\n")


def test_both_boot_loaders_get_both_initrds() -> None:
    for name in ("isolinux.cfg", "grub.cfg"):
        text = (HERE / "live/guest/boot" / name).read_text()
        assert "/images/pxeboot/initrd.img" in text
        assert "/images/ignition.img" in text


def test_live_files_do_not_decide_about_the_plain_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert live.location().name != recipe_hash(arch_named())
    assert live.location().name.startswith("live-")
    assert live.location(output=tmp_path / "mine") == tmp_path / "mine"


def test_features_name_what_customize_asks_for() -> None:
    features = json.loads(json.dumps(iso.FEATURES))
    assert features["installer-config"]
    assert features["live-initrd-network"]
    assert features["installer-config-directives"]["console"]


@pytest.mark.parametrize("size", [4, 5, 7, 8])
def test_there_are_zeros_behind_each_archive(tmp_path: Path, size: int) -> None:
    """A zstd reader takes a frame that follows at once for more of the first one."""
    parts = []
    for number in (1, 2):
        part = tmp_path / str(number)
        part.write_bytes(bytes([number]) * size)
        parts.append(part)
    archive.write_joined(parts, tmp_path / "joined")
    joined = (tmp_path / "joined").read_bytes()
    second = joined.index(2)
    assert second % 4 == 0
    assert joined[size:second].count(0) >= 4
    assert len(joined) % 4 == 0
