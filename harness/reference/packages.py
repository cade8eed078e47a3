"""What a package of the distribution is called in the world of rpm."""

from __future__ import annotations

from dataclasses import dataclass

# rpm's names for dpkg's architectures.
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}


@dataclass(frozen=True, order=True)
class Package:
    """Name, epoch, version, release and architecture, as rpm spells them."""

    name: str
    epoch: int
    version: str
    release: str
    arch: str

    @property
    def nevra(self) -> str:
        """`name-[epoch:]version-release.arch`."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """As `rpmostree.rpmdb.pkglist` in a commit's metadata lists it."""
        return (self.name, str(self.epoch), self.version, self.release, self.arch)


def from_dpkg(name: str, version: str, architecture: str) -> Package:
    """Translate dpkg's `[epoch:]upstream[-revision]`; rpm wants no dash in a version: `_`."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return Package(
        name=name,
        epoch=int(epoch),
        version=upstream.replace("-", "_"),
        release=revision,
        arch=_ARCHITECTURES.get(architecture, architecture),
    )
