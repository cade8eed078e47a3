"""The operating system as a container image in one file, for `rpm-ostree rebase` and Containerfiles.

A version is one layer on those of the version before it, a tar of the root file system with `/etc` in place
of `/usr/etc`. Labels name the ostree commit that the tree is (`ostree.commit`, and `nestos.ostree.layers` for
each layer), so that a system that has the commit fetches no layer. docs/reference-os.md describes the form.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import InfrastructureError
from harness.reference.build.commit import Commit
from harness.reference.build.recipe import Recipe, Version

_CHUNK = 1 << 20
_MEDIA = "application/vnd.oci.image"


@dataclass(frozen=True)
class Layer:
    """A layer on disk: the compressed blob, its digest, the digest of its tar, and the resulting commit."""

    blob: Path
    digest: str
    diff_id: str
    commit: str
    comment: str


def write_layer(tree: Path, blob: Path, version: Version, made: Commit) -> Layer:
    """Pack `tree` (a commit's content, or its additions) into `blob`. It is read once."""
    tar = [
        "tar",
        "--create",
        f"--directory={tree}",
        "--sort=name",
        "--numeric-owner",
        f"--mtime={version.timestamp}",
        # Names only: the targets of symbolic links stay unchanged.
        "--transform=flags=rSh;s,^\\./usr/etc,./etc,",
        ".",
    ]
    diff_id = hashlib.sha256()
    with blob.open("wb") as target:
        packing = subprocess.Popen(tar, stdout=subprocess.PIPE)
        compressing = subprocess.Popen(["zstd", "-1", "-T0", "-q"], stdin=subprocess.PIPE, stdout=target)
        assert packing.stdout is not None
        assert compressing.stdin is not None
        while chunk := packing.stdout.read(_CHUNK):
            diff_id.update(chunk)
            compressing.stdin.write(chunk)
        compressing.stdin.close()
        statuses = (packing.wait(), compressing.wait())
    if any(statuses):
        raise InfrastructureError(
            f"tar and zstd ended with {statuses} while packing the image of {version.id}",
            cause="reference-build-failed",
        )
    with blob.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Layer(blob, f"sha256:{digest}", f"sha256:{diff_id.hexdigest()}", made.checksum, version.id)


def write_archive(recipe: Recipe, version: Version, layers: Sequence[Layer], target: Path) -> None:
    """Write the OCI archive of `version`, whose tree is what the last of `layers` leads to."""
    config = _json(_config(recipe, version, layers))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_MEDIA}.manifest.v1+json",
            "config": _descriptor(config, f"{_MEDIA}.config.v1+json"),
            "layers": [
                {
                    "mediaType": f"{_MEDIA}.layer.v1.tar+zstd",
                    "digest": layer.digest,
                    "size": layer.blob.stat().st_size,
                }
                for layer in layers
            ],
        }
    )
    index = {"schemaVersion": 2, "manifests": [_descriptor(manifest, f"{_MEDIA}.manifest.v1+json")]}
    with tarfile.open(target, "w") as archive:
        _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(archive, "index.json", _json(index))
        for blob in (manifest, config):
            _add(archive, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        for layer in layers:
            entry = tarfile.TarInfo(f"blobs/{layer.digest.replace(':', '/')}")
            entry.size = layer.blob.stat().st_size
            with layer.blob.open("rb") as file:
                archive.addfile(entry, file)


def _config(recipe: Recipe, version: Version, layers: Sequence[Layer]) -> dict[str, Any]:
    return {
        "created": version.timestamp,
        "architecture": recipe.arch.debian,
        "os": "linux",
        "config": {
            "Cmd": ["/bin/bash"],
            "Labels": {
                "nestos.ostree.layers": " ".join(f"{layer.diff_id}={layer.commit}" for layer in layers),
                "nestos.stream": recipe.stream,
                "org.opencontainers.image.version": version.id,
                "ostree.bootable": "true",
                "ostree.commit": layers[-1].commit,
                "ostree.final-diffid": layers[-1].diff_id,
                "version": version.id,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [
            {"created": version.timestamp, "created_by": f"kola reference build, {layer.comment}"}
            for layer in layers
        ],
    }


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _descriptor(blob: bytes, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(blob).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(blob)}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
