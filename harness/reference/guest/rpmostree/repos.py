"""Package repositories: `/etc/yum.repos.d`, their metadata and their packages."""

from __future__ import annotations

import configparser
import gzip
import hashlib
import lzma
import platform
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import Failure
from .text import NEVRA

_COMMON = "{http://linux.duke.edu/metadata/common}"
_RPM = "{http://linux.duke.edu/metadata/rpm}"
_REPO = "{http://linux.duke.edu/metadata/repo}"
_TRUE = ("1", "yes", "true", "on")


@dataclass(frozen=True)
class Repository:
    """An enabled section of a `.repo` file."""

    id: str
    url: str
    gpgcheck: bool
    sslverify: bool
    skip_if_unavailable: bool


@dataclass(frozen=True)
class Candidate:
    """A package that a repository offers; `provides` includes its name and its main files."""

    repository: Repository
    row: NEVRA
    location: str
    sha256: str
    provides: frozenset[str]


def configured(directory: Path) -> list[Repository]:
    """Return the enabled repositories, in order of their files' names. Raises `Failure` for a broken file."""
    found = []
    for path in sorted(directory.glob("*.repo")):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path)
        except configparser.Error as error:
            raise Failure(f"cannot read {path}: {error.message}") from error
        for name in parser.sections():
            section = parser[name]
            if section.get("enabled", "1").lower() not in _TRUE:
                continue
            url = section.get("baseurl", "").split()
            if not url:
                raise Failure(f"Failed to find a valid baseurl for repo: {name} ({path})")
            found.append(
                Repository(
                    id=name,
                    url=url[0].replace("$basearch", platform.machine()).rstrip("/"),
                    gpgcheck=section.get("gpgcheck", "0").lower() in _TRUE,
                    sslverify=section.get("sslverify", "1").lower() in _TRUE,
                    skip_if_unavailable=section.get("skip_if_unavailable", "0").lower() in _TRUE,
                )
            )
    return found


def fetch(repository: Repository, name: str) -> bytes:
    """Fetch a file of a repository. Raises `Failure` with curl's message."""
    if repository.url.startswith(("/", "file:")):
        path = Path(repository.url.removeprefix("file://").removeprefix("file:")) / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise Failure(f"Cannot download {name}: {error.strerror} ({path})") from error
    argv = ["curl", "--silent", "--show-error", "--fail", "--location", "--connect-timeout", "30"]
    argv += ["--retry", "2"] + ([] if repository.sslverify else ["--insecure"])
    result = subprocess.run([*argv, f"{repository.url}/{name}"], capture_output=True, check=False)
    if result.returncode != 0:
        words = result.stderr.decode(errors="replace").strip()
        raise Failure(f"Cannot download {name}: {words} [{repository.url}/{name}]")
    return result.stdout


def candidates(repository: Repository) -> list[Candidate]:
    """Return all packages of a repository. Raises `Failure` when its metadata is incomplete."""
    try:
        root = ET.fromstring(fetch(repository, "repodata/repomd.xml"))
        primary = next(data for data in root.iter(f"{_REPO}data") if data.get("type") == "primary")
        location = primary.find(f"{_REPO}location")
        checksum = primary.find(f"{_REPO}checksum")
        assert location is not None
        name = location.get("href", "")
        content = fetch(repository, name)
        if checksum is not None and checksum.get("type") == "sha256":
            _verify(content, checksum.text or "", name)
        packages = ET.fromstring(_decompress(content, name))
        return [_candidate(repository, package) for package in packages.iter(f"{_COMMON}package")]
    except (Failure, ET.ParseError, StopIteration) as error:
        why = str(error) or "repomd.xml lists no primary metadata"
        raise Failure(f"cannot update repo '{repository.id}': {why}") from error


def _verify(content: bytes, sha256: str, name: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise Failure(f"{name}: checksum doesn't match: expected {sha256}, found {found}")


def _decompress(content: bytes, name: str) -> bytes:
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".xz"):
        return lzma.decompress(content)
    if name.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=content, capture_output=True, check=True).stdout
    return content


def _candidate(repository: Repository, package: ET.Element) -> Candidate:
    def text(tag: str) -> str:
        return package.findtext(f"{_COMMON}{tag}", "")

    version = package.find(f"{_COMMON}version")
    location = package.find(f"{_COMMON}location")
    form = package.find(f"{_COMMON}format")
    assert version is not None
    assert location is not None
    provides = {text("name")}
    if form is not None:
        provides |= {entry.get("name", "") for entry in form.iterfind(f"{_RPM}provides/{_RPM}entry")}
        provides |= {file.text or "" for file in form.iterfind(f"{_COMMON}file")}
    return Candidate(
        repository=repository,
        row=(
            text("name"),
            version.get("epoch", "0"),
            version.get("ver", ""),
            version.get("rel", ""),
            text("arch"),
        ),
        location=location.get("href", ""),
        sha256=text("checksum"),
        provides=frozenset(provides),
    )


def best(offers: list[Candidate], name: str, compare: Callable[[NEVRA, NEVRA], int]) -> Candidate | None:
    """Return the newest package that is called, or else provides, `name` (which may be a NEVR or NEVRA)."""
    fitting = [offer for offer in offers if name in _names(offer.row)] or [
        offer for offer in offers if name in offer.provides
    ]
    machine = platform.machine()
    newest: Candidate | None = None
    for offer in fitting:
        if offer.row[4] not in (machine, "noarch"):
            continue
        if newest is None or compare(offer.row, newest.row) > 0:
            newest = offer
    return newest


def _names(row: NEVRA) -> set[str]:
    name, _, version, release, arch = row
    return {name, f"{name}.{arch}", f"{name}-{version}-{release}", f"{name}-{version}-{release}.{arch}"}


def download(offer: Candidate, directory: Path) -> Path:
    """Download a package into `directory` and verify it with the repository's metadata."""
    repository = offer.repository
    if repository.gpgcheck:
        raise Failure(
            f"{offer.location}: repository '{repository.id}' has gpgcheck=1, and this stand-in for "
            "rpm-ostree knows no keys: set gpgcheck=0"
        )
    content = fetch(repository, offer.location)
    _verify(content, offer.sha256, offer.location)
    path = directory / Path(offer.location).name
    path.write_bytes(content)
    return path
