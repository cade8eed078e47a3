"""Container images: read, derived from, written, pushed to the real registry."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.services.images import OciImage
from harness.services.services import Services

EMPTY = OciImage({"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}, ())


def base() -> OciImage:
    return EMPTY.derive({"/usr/bin/tool": "#!/bin/sh\n", "/etc/motd": "old\n"}, labels={"version": "1"})


def members(image: OciImage, number: int) -> dict[str, bytes]:
    """The files of one layer."""
    with tarfile.open(fileobj=io.BytesIO(image.layers[number][1].read()), mode="r:gz") as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def test_a_derived_image_has_one_more_layer_with_its_files_and_whiteouts() -> None:
    derived = base().derive({"/etc/motd": "new\n"}, removed=["/usr/bin/tool"], labels={"version": "2"})
    assert derived.layers[:1] == base().layers
    assert members(derived, 1) == {"etc/motd": b"new\n", "usr/bin/.wh.tool": b""}
    assert derived.config["config"]["Labels"] == {"version": "2"}
    assert len(derived.config["rootfs"]["diff_ids"]) == 2
    assert base().config["config"]["Labels"] == {"version": "1"}, "the image derived from was changed"


def test_an_archive_is_read_as_it_was_written(tmp_path: Path) -> None:
    image = base().derive({"/etc/motd": "new\n"})
    again = OciImage.read(image.write(tmp_path / "os.ociarchive"))
    assert (again.digest, again.config) == (image.digest, image.config)
    for (kind, mine), (its_kind, its) in zip(image.layers, again.layers, strict=True):
        assert (kind, mine.read()) == (its_kind, its.read())
        assert its.digest == "sha256:" + hashlib.sha256(its.read()).hexdigest()


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "wrong.ociarchive"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="not an OCI archive"):
        OciImage.read(file)


@pytest.mark.parametrize("tls", [True, False])
def test_an_image_is_pushed_and_there(tmp_path: Path, tls: bool) -> None:
    services = Services(tmp_path)
    try:
        registry = services.registry(tls=tls)
        first, second = base(), base().derive({"/etc/motd": "new\n"})
        assert registry.push(first, "os:stable") == registry.image("os:stable")
        registry.push(second, "os:stable")
        for blob in second.blobs:
            assert registry.blob(blob.digest).read_bytes() == blob.read()
        stored = registry.blob(second.digest)
        assert json.loads(stored.read_bytes())["layers"][0]["digest"] == first.layers[0][1].digest
        uploads = [one for one in registry.requests if one.method == "PUT" and "uploads" in one.target]
        assert len(uploads) == 4, "a layer that was there was sent again"
    finally:
        services.close()
