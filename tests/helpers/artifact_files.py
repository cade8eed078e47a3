"""Small files that are what they claim to be, for the tests of harness.artifact."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ARCH = "x86_64"


def qcow2(size: int = 300_000, *, version: int = 3) -> bytes:
    head = b"QFI\xfb" + version.to_bytes(4, "big")
    body = bytes(range(256)) * (size // 512)
    return (head + bytes(size // 4) + body).ljust(size, b"\0")[:size]


def raw_disk(size: int = 1 << 20) -> bytes:
    return bytes(510) + b"\x55\xaa" + bytes(size - 512)


def iso() -> bytes:
    return bytes(32769) + b"CD001" + bytes(4096)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def compressed(content: bytes, suffix: str) -> bytes:
    match suffix:
        case ".gz":
            return gzip.compress(content)
        case ".xz":
            return lzma.compress(content)
        case ".zst":
            return subprocess.run(
                ["zstd", "-q", "-c"], input=content, stdout=subprocess.PIPE, check=True
            ).stdout
        case _:
            return content


def image(directory: Path, name: str, content: bytes, suffix: str = "") -> dict[str, Any]:
    """Write the (compressed) file and return its entry in meta.json's `images`."""
    packed = compressed(content, suffix)
    (directory / (name + suffix)).write_bytes(packed)
    entry: dict[str, Any] = {"path": name + suffix, "sha256": sha256(packed), "size": len(packed)}
    if suffix:
        entry |= {"uncompressed-sha256": sha256(content), "uncompressed-size": len(content)}
    return entry


def build_root(root: Path, builds: Mapping[str, tuple[str, ...]]) -> Path:
    """A build root with these builds (id → architectures), newest first, each with a qemu image."""
    for build_id, arches in builds.items():
        for arch in arches:
            directory = root / "builds" / build_id / arch
            directory.mkdir(parents=True)
            entry = image(directory, f"nestos-{build_id}-qemu.{arch}.qcow2", qcow2(4096))
            write_meta(directory, build_id, {"qemu": entry})
    (root / "builds").mkdir(parents=True, exist_ok=True)
    index = {
        "schema-version": "1.0.0",
        "builds": [{"id": build_id, "arches": list(arches)} for build_id, arches in builds.items()],
        "timestamp": "2024-09-03T00:00:00Z",
    }
    (root / "builds/builds.json").write_text(json.dumps(index))
    return root


def write_meta(directory: Path, build_id: str, images: Mapping[str, Any], **more: Any) -> None:
    meta = {
        "buildid": build_id,
        "name": "nestos",
        "coreos-assembler.basearch": ARCH,
        "images": images,
        **more,
    }
    (directory / "meta.json").write_text(json.dumps(meta, indent=2))
