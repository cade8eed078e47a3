"""Container images for tests: read from an OCI archive, extended by a layer, written again.

Formats: the OCI image specification 1.0 (image layout, manifest, configuration, layers with whiteouts).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ConfigError
from harness.util.jsonfile import JsonFile

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_CHUNK = 1 << 20
_NOTHING: Mapping[str, str] = MappingProxyType({})


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class _Descriptor(_Part):
    digest: str
    media_type: str = Field(alias="mediaType", default="")


class _Index(_Part):
    manifests: tuple[_Descriptor, ...] = Field(min_length=1)


class _Manifest(_Part):
    config: _Descriptor
    layers: tuple[_Descriptor, ...]


_INDEX = JsonFile(_Index, "an image index")
_MANIFEST = JsonFile(_Manifest, "an image manifest")
_CONFIG = JsonFile(dict[str, Any], "an image configuration")


@dataclass(frozen=True)
class Blob:
    """Content of `size` bytes, from `offset` on in a file, or in `data`; `digest` has the form `sha256:…`."""

    digest: str
    size: int
    file: Path | None = None
    offset: int = 0
    data: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> Blob:
        return cls(_digest(data), len(data), data=data)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content, one mebibyte at a time."""
        if self.file is None:
            yield self.data
            return
        left = self.size
        with self.file.open("rb") as file:
            file.seek(self.offset)
            while left and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def read(self) -> bytes:
        return b"".join(self.chunks())


@dataclass(frozen=True)
class OciImage:
    """The parts of a manifest.

    `config` is the image configuration; `layers` are ordered from the lowest upwards.
    """

    config: Mapping[str, Any]
    layers: tuple[tuple[str, Blob], ...]
    """Media type and content of each layer."""

    @classmethod
    def read(cls, archive: Path) -> OciImage:
        """Read the single image of an OCI archive (a tar); its layers stay in the archive.

        Raises ConfigError for a file that is not one.
        """
        try:
            with tarfile.open(archive, "r:") as tar:
                found = {
                    member.name.removeprefix("./"): (member.offset_data, member.size)
                    for member in tar
                    if member.isfile()
                }
            index = _INDEX.load(_member(archive, found["index.json"]).decode())
            manifest = _MANIFEST.load(_member(archive, found[_path(index.manifests[0].digest)]).decode())
            config = _CONFIG.load(_member(archive, found[_path(manifest.config.digest)]).decode())
            layers = tuple(
                (row.media_type, _blob(archive, row.digest, found[_path(row.digest)]))
                for row in manifest.layers
            )
        except ConfigError as error:
            raise ConfigError(f"not an OCI archive: {error.message}", file=archive) from None
        except (OSError, tarfile.TarError, ValueError, KeyError, IndexError) as error:
            raise ConfigError(f"not an OCI archive: {error!r}", file=archive) from error
        return cls(config, layers)

    def derive(
        self,
        files: Mapping[str, str | bytes] = _NOTHING,
        *,
        removed: Iterable[str] = (),
        labels: Mapping[str, str] = _NOTHING,
    ) -> OciImage:
        """Return this image with one more layer: `files` by absolute path (mode 0644), `removed` paths
        deleted.
        """
        tar = _layer(files, removed)
        blob = Blob.of(gzip.compress(tar, mtime=0))
        config = json.loads(json.dumps(self.config))
        config["rootfs"]["diff_ids"].append(_digest(tar))
        config.setdefault("history", []).append({"created_by": "kola"})
        config.setdefault("config", {}).setdefault("Labels", {}).update(labels)
        return OciImage(config, (*self.layers, (_LAYER, blob)))

    @property
    def config_blob(self) -> Blob:
        return Blob.of(_json(self.config))

    @property
    def manifest(self) -> bytes:
        """The manifest as it is pushed; its digest is the image's."""
        config = self.config_blob
        rows = [{"mediaType": kind, "digest": blob.digest, "size": blob.size} for kind, blob in self.layers]
        return _json(
            {
                "schemaVersion": 2,
                "mediaType": _MANIFEST_TYPE,
                "config": {"mediaType": _CONFIG_TYPE, "digest": config.digest, "size": config.size},
                "layers": rows,
            }
        )

    @property
    def digest(self) -> str:
        return _digest(self.manifest)

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Return the config and the layers, without the manifest."""
        return (*(blob for _, blob in self.layers), self.config_blob)

    def write(self, archive: Path) -> Path:
        """Write the image as an OCI archive."""
        manifest = Blob.of(self.manifest)
        row = {"mediaType": _MANIFEST_TYPE, "digest": manifest.digest, "size": manifest.size}
        small = {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": _json({"schemaVersion": 2, "manifests": [row]}),
        }
        with tarfile.open(archive, "w") as tar:
            for name, data in small.items():
                _add(tar, name, len(data), io.BytesIO(data))
            for blob in (manifest, *self.blobs):
                source = io.BytesIO(blob.data) if blob.file is None else blob.file.open("rb")
                with source:
                    source.seek(blob.offset)
                    _add(tar, _path(blob.digest), blob.size, source)
        return archive


def _layer(files: Mapping[str, str | bytes], removed: Iterable[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            _add(tar, path.lstrip("/"), len(data), io.BytesIO(data))
        for path in removed:
            gone = PurePosixPath(path.lstrip("/"))
            _add(tar, str(gone.with_name(f".wh.{gone.name}")), 0, io.BytesIO())
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, size: int, source: Any) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    tar.addfile(entry, source)


def _member(archive: Path, where: tuple[int, int]) -> bytes:
    offset, size = where
    return Blob("", size, archive, offset).read()


def _blob(archive: Path, digest: str, where: tuple[int, int]) -> Blob:
    offset, size = where
    return Blob(digest, size, archive, offset)


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
