"""A deployment's origin: the source of its base and the requested packages.

The keys are rpm-ostree's (`rust/src/origin.rs` there names them): `[origin] refspec | baserefspec |
container-image-reference | override-commit`, `[packages] requested | requested-local`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMAGE_PREFIXES = ("ostree-unverified-registry:", "ostree-unverified-image:", "ostree-image-signed:")


class Origin(NamedTuple):  # `dataclasses` is slow to import under emulation
    """An origin.

    `source` is a refspec, or an image reference with its prefix; `local` maps NEVRAs to SHA-256.
    """

    source: str
    override_commit: str | None = None
    requested: tuple[str, ...] = ()
    local: Mapping[str, str] = MappingProxyType({})

    @property
    def is_image(self) -> bool:
        """True when the base is a container image."""
        return is_image_reference(self.source)

    @property
    def is_layered(self) -> bool:
        """True when packages are requested in addition to the base."""
        return bool(self.requested or self.local)

    def with_packages(self, requested: tuple[str, ...], local: Mapping[str, str]) -> Origin:
        """Return the same base with other packages."""
        return self._replace(requested=requested, local=local)


def is_image_reference(source: str) -> bool:
    """Return True when `source` is a container image reference."""
    return source.startswith(_IMAGE_PREFIXES)


def parse(keyfile: Any) -> Origin:
    """Parse a GLib.KeyFile. Raises `Failure` for one without a base."""

    def value(group: str, key: str) -> str | None:
        try:
            return str(keyfile.get_value(group, key))
        except Exception:  # GLib.Error, which this module need not import
            return None

    def strings(group: str, key: str) -> list[str]:
        return [word for word in (value(group, key) or "").split(";") if word]

    source = (
        value("origin", "refspec")
        or value("origin", "baserefspec")
        or value("origin", "container-image-reference")
    )
    if source is None:
        raise Failure("Failed to find refspec/baserefspec/container-image-reference in origin")
    local = {}
    for entry in strings("packages", "requested-local"):
        checksum, _, nevra = entry.partition(":")
        local[nevra] = checksum
    return Origin(source, value("origin", "override-commit"), tuple(strings("packages", "requested")), local)


def fill(keyfile: Any, origin: Origin) -> Any:
    """Write `origin` into an empty GLib.KeyFile and return it."""
    if origin.is_image:
        keyfile.set_value("origin", "container-image-reference", origin.source)
    else:
        keyfile.set_value("origin", "baserefspec" if origin.is_layered else "refspec", origin.source)
    if origin.override_commit:
        keyfile.set_value("origin", "override-commit", origin.override_commit)
    if origin.requested:
        keyfile.set_value("packages", "requested", "".join(f"{name};" for name in sorted(origin.requested)))
    if origin.local:
        entries = (f"{checksum}:{nevra};" for nevra, checksum in sorted(origin.local.items()))
        keyfile.set_value("packages", "requested-local", "".join(entries))
    return keyfile
