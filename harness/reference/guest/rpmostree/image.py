"""Container images as operating systems: an image becomes an ostree commit.

The format is simple and our own: a layer is a tar of the root file system with `/etc` in place of the
commit's `/usr/etc`; the label `nestos.ostree.layers` has the commit of the tree after each layer
(`DIFFID=COMMIT`, in order). A commit that exists locally replaces its layers, which are then not fetched. The
additions of a Containerfile are further layers, with whiteouts as OCI defines them.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import layering, rpms, text
from .errors import Failure
from .libostree import GLib
from .system import System

LAYERS_LABEL = "nestos.ostree.layers"
_POLICY = Path("/etc/containers/policy.json")
# Directories of a running system; an image's content of these is not part of the tree.
_STATE = ("var", "run", "tmp", "dev", "proc", "sys", "sysroot")
_DECOMPRESS = {"gzip": "--gzip", "zstd": "--zstd"}


@dataclass(frozen=True)
class Layer:
    """A layer of a manifest; `diff_id` is the digest of its uncompressed tar."""

    digest: str
    size: int
    media_type: str
    diff_id: str


@dataclass(frozen=True)
class Image:
    """Manifest and configuration of an image, and its digest."""

    digest: str
    manifest: str
    config: str

    @property
    def layers(self) -> list[Layer]:
        """Return the layers from the lowest to the uppermost."""
        diff_ids = json.loads(self.config)["rootfs"]["diff_ids"]
        rows = json.loads(self.manifest)["layers"]
        return [
            Layer(row["digest"], row["size"], row["mediaType"], diff_id)
            for row, diff_id in zip(rows, diff_ids, strict=True)
        ]

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the configuration."""
        return dict(json.loads(self.config).get("config", {}).get("Labels") or {})

    @property
    def version(self) -> str | None:
        """The image's own version, if it has one."""
        labels = self.labels
        return labels.get("org.opencontainers.image.version") or labels.get("version")

    @property
    def commits(self) -> dict[str, str]:
        """The commits of the tree after some layers, by their diff IDs."""
        words = self.labels.get(LAYERS_LABEL, "").split()
        return dict(word.rpartition("=")[::2] for word in words)


def source(reference: str) -> tuple[str, str]:
    """Return transport and location of an image reference. Raises `Failure` for an unsupported one."""
    prefix, _, rest = reference.partition(":")
    if prefix in ("ostree-unverified-registry",):
        return "docker", f"//{rest}"
    transport, colon, location = rest.partition(":")
    if transport == "registry" or rest.startswith("docker://"):
        return "docker", location if location.startswith("//") else f"//{location}"
    if not colon or transport not in ("oci-archive", "oci", "containers-storage", "docker-archive"):
        raise Failure(f"Invalid container image reference: {reference}")
    return transport, location


def _skopeo(arguments: list[str], what: str) -> str:
    result = subprocess.run(["skopeo", *arguments], capture_output=True, encoding="utf-8", check=False)
    if result.returncode != 0:
        words = result.stderr.strip().splitlines() or [f"skopeo ended with status {result.returncode}"]
        # extracts the message from: time="…" level=fatal msg="…"
        message = re.search(r'msg="(.*)"$', words[-1])
        raise Failure(f"{what}: {message.group(1).replace(chr(92), '') if message else words[-1]}")
    return result.stdout


def _check_policy(reference: str, transport: str) -> None:
    """Check the policy for images that skopeo does not copy.

    Required signatures are refused without a check.
    """
    try:
        policy = json.loads(_POLICY.read_text(encoding="utf-8"))
    except FileNotFoundError:
        policy = {"default": [{"type": "insecureAcceptAnything"}]}
    except ValueError as error:
        raise Failure(f"invalid policy in {_POLICY}: {error}") from error
    scopes = policy.get("transports", {}).get(transport, {})
    requirements = scopes.get("") or policy.get("default", [])
    kinds = {requirement.get("type") for requirement in requirements}
    if "reject" in kinds:
        raise Failure(f"Source image rejected: Running image {reference} is rejected by policy.")
    if reference.startswith("ostree-image-signed:") and "insecureAcceptAnything" in kinds:
        raise Failure(
            f"{_POLICY} specifies a default of `insecureAcceptAnything`; "
            "refusing usage with ostree-image-signed"
        )


class _Blobs:
    """The blobs of a local image: an OCI directory, or such a directory in a tar."""

    def __init__(self, path: Path) -> None:
        self._directory = path if path.is_dir() else None
        self._archive: tarfile.TarFile | None = None
        if self._directory is None:
            try:
                self._archive = tarfile.open(path, "r:")  # noqa: SIM115 - open as long as this object is
            except (OSError, tarfile.TarError) as error:
                raise Failure(f"cannot read {path}: {error}") from error

    def open(self, name: str) -> IO[bytes]:
        """Open a file. Raises `Failure` when it is missing."""
        try:
            if self._directory is not None:
                return (self._directory / name).open("rb")
            assert self._archive is not None
            for candidate in (name, f"./{name}"):
                try:
                    file = self._archive.extractfile(candidate)
                except KeyError:
                    continue
                if file is not None:
                    return file
        except (OSError, tarfile.TarError) as error:
            raise Failure(f"reading {name}: {error}") from error
        raise Failure(f"the image has no {name}: it is not whole")

    def blob(self, digest: str) -> IO[bytes]:
        """Open a blob by its digest."""
        return self.open(f"blobs/{digest.replace(':', '/')}")

    def text(self, digest: str) -> str:
        """Return a small blob, verified."""
        content = self.blob(digest).read()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise Failure(f"blob {digest} is damaged")
        return content.decode()

    def image(self) -> Image:
        """Return the only image."""
        index = json.loads(self.open("index.json").read())
        digest = index["manifests"][0]["digest"]
        manifest = self.text(digest)
        return Image(digest, manifest, self.text(json.loads(manifest)["config"]["digest"]))


def inspect(reference: str) -> Image:
    """Return manifest and configuration, without the layers."""
    transport, location = source(reference)
    if transport in ("oci-archive", "oci"):
        return _Blobs(Path(location.rpartition(":")[0] or location)).image()
    name = f"{transport}:{location}"
    what = f"Fetching manifest of {reference}"
    manifest = _skopeo(["inspect", "--raw", name], what)
    if "manifests" in json.loads(manifest):
        raise Failure(f"{reference} is an index of several images: name one by its digest")
    config = _skopeo(["inspect", "--config", "--raw", name], what)
    return Image(f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}", manifest, config)


@contextmanager
def _blobs(reference: str, image: Image, needed: list[Layer], work: Path) -> Iterator[_Blobs]:
    transport, location = source(reference)
    if transport in ("oci-archive", "oci"):
        _check_policy(reference, transport)
        yield _Blobs(Path(location.rpartition(":")[0] or location))
        return
    if reference.startswith("ostree-image-signed:"):
        _check_policy(reference, transport)
    target = work / "image"
    blobs = target / "blobs/sha256"
    blobs.mkdir(parents=True)
    for layer in image.layers:
        if layer not in needed:
            # skopeo does not fetch blobs that exist by name: a layer whose commit we have is not needed.
            (blobs / layer.digest.partition(":")[2]).touch()
    name = f"{transport}:{location}"
    _skopeo(["copy", "--preserve-digests", name, f"oci:{target}"], f"Importing {reference}")
    yield _Blobs(target)


def pull(system: System, reference: str) -> str:
    """Return the commit of an image, fetched and made unless it is deployed. Raises `Failure`."""
    print(f"Pulling manifest: {reference}", flush=True)
    image = inspect(reference)
    known = _imported(system, image.digest)
    if known is not None:
        return known
    print(f"Importing: {reference} (digest: {image.digest})", flush=True)
    base, needed = _split(system, image)
    print(
        f"layers already present: {len(image.layers) - len(needed)}; layers needed: {len(needed)}", flush=True
    )
    with layering.workspace(system) as work, _blobs(reference, image, needed, work) as blobs:
        trees = [
            _unpack(blobs, layer, work / f"layer-{number}", whole=base is None and number == 0)
            for number, layer in enumerate(needed)
        ]
        return _commit(system, image, base, trees)


def _imported(system: System, digest: str) -> str | None:
    for deployment in system.deployments:
        checksum = system.base(deployment.get_csum())
        if system.metadata(checksum).get("ostree.manifest-digest") == digest:
            return checksum
    return None


def _split(system: System, image: Image) -> tuple[str | None, list[Layer]]:
    """Return the commit to start from, and the layers above it."""
    layers = image.layers
    for number in range(len(layers), 0, -1):
        commit = image.commits.get(layers[number - 1].diff_id)
        if commit and system.has_commit(commit):
            return commit, layers[number:]
    return None, layers


def _unpack(blobs: _Blobs, layer: Layer, target: Path, *, whole: bool) -> Path:
    """Unpack a layer as an overlayfs upper directory. Raises `Failure` when it is damaged."""
    target.mkdir()
    compression = next((flag for name, flag in _DECOMPRESS.items() if layer.media_type.endswith(name)), None)
    argv = ["tar", "--extract", "--file=-", f"--directory={target}", "--numeric-owner", "--same-permissions"]
    digest = hashlib.sha256()
    with blobs.blob(layer.digest) as stream:
        process = subprocess.Popen(
            [*argv, *([compression] if compression else [])],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        try:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
                process.stdin.write(chunk)
            process.stdin.close()
        except (OSError, tarfile.TarError):
            pass  # tar failed, or the archive ended early: the digest will differ
        errors = process.communicate()[1] if process.stderr is None else process.stderr.read()
        status = process.wait()
    if f"sha256:{digest.hexdigest()}" != layer.digest:
        raise Failure(f"layer {layer.digest} is damaged or cut short")
    if status != 0:
        raise Failure(f"unpacking layer {layer.digest}: {errors.decode(errors='replace').strip()}")
    _to_commit_form(target, whole=whole)
    return target


def _to_commit_form(tree: Path, *, whole: bool) -> None:
    for name in _STATE:
        path = tree / name
        if path.is_dir() and not path.is_symlink():
            for child in path.iterdir():
                shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
            if not whole:
                path.rmdir()
    etc = tree / "etc"
    if etc.is_dir():
        (tree / "usr").mkdir(exist_ok=True)
        # Builders write these for their own network.
        for name in () if whole else ("resolv.conf", "hosts", "hostname", "mtab"):
            path = etc / name
            if path.is_symlink() or path.exists():
                path.unlink()
        shutil.copytree(etc, tree / "usr/etc", symlinks=True, dirs_exist_ok=True) if (
            tree / "usr/etc"
        ).exists() else etc.rename(tree / "usr/etc")
        shutil.rmtree(etc, ignore_errors=True)


def _commit(system: System, image: Image, base: str | None, trees: list[Path]) -> str:
    inherited = system.metadata(base) if base else {}
    variants: dict[str, Any] = {
        "ostree.bootable": GLib.Variant("b", True),
        "ostree.linux": GLib.Variant("s", inherited.get("ostree.linux") or _kernel(trees)),
        "ostree.manifest-digest": GLib.Variant("s", image.digest),
        "ostree.manifest": GLib.Variant("s", image.manifest),
        "ostree.container.image-config": GLib.Variant("s", image.config),
        "version": GLib.Variant("s", image.version or inherited.get("version") or image.digest),
    }
    rows = inherited.get("rpmostree.rpmdb.pkglist", [])
    for tree in trees:
        if (tree / rpms.DATABASE.lstrip("/") / "rpmdb.sqlite").exists():
            rpms.settle_database(tree / rpms.DATABASE.lstrip("/"))
            rows = rpms.everything(str(tree))
    variants["rpmostree.rpmdb.pkglist"] = GLib.Variant("a(sssss)", sorted(tuple(row) for row in rows))
    return layering.commit_on_top(system, base, trees, variants)


def _kernel(trees: list[Path]) -> str:
    for tree in trees:
        for path in tree.glob("usr/lib/modules/*/vmlinuz"):
            return path.parent.name
    raise Failure("No kernel in the image: /usr/lib/modules has none")


def check(system: System, reference: str, current: str) -> None:
    """Run `upgrade --check`: report a newer image of the same name; exit status 77 without one."""
    image = inspect(reference)
    metadata = system.metadata(current)
    if metadata.get("ostree.manifest-digest") == image.digest:
        print("No updates available.")
        raise SystemExit(77)
    old = {
        row["digest"]: row["size"]
        for row in json.loads(metadata.get("ostree.manifest", "{}")).get("layers", [])
    }
    new = {layer.digest: layer.size for layer in image.layers}
    print("AvailableUpdate:")
    if image.version:
        print(text.key_value("Version", image.version))
    print(text.key_value("Digest", image.digest))
    print(f"  Total layers: {len(new)}    Size: {_size(new.values())}")
    for what, some, others in (("Removed", old, new), ("Added", new, old)):
        sizes = [size for digest, size in some.items() if digest not in others]
        print(f"  {what} layers: {len(sizes)}  Size: {_size(sizes)}")


def _size(sizes: Any) -> str:
    return f"{sum(sizes) / 1e6:.1f} MB"
