"""Names of the distribution's packages in rpm's notation."""

from __future__ import annotations

from dataclasses import dataclass

# rpm's names for dpkg's architectures.
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "all": "noarch"}


@dataclass(frozen=True, order=True)
class Package:
    """A package: name, epoch, version, release and architecture in rpm's notation."""

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
        """Return the row of `rpmostree.rpmdb.pkglist` in a commit's metadata."""
        return (self.name, str(self.epoch), self.version, self.release, self.arch)


def from_dpkg(name: str, version: str, architecture: str) -> Package:
    """Translate dpkg's `[epoch:]upstream[-revision]`. rpm allows no dash in a version, so it becomes `_`."""
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
