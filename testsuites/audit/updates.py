"""Rules for origin and updates: remotes, deployments, and the state that an upgrade keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.artifact import Distro
from testsuites.audit.etc import EVERYWHERE
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_MIB = 1024 * 1024
_INODES = (1000, 10)
"""Free inodes that an update needs: in the root, and on /boot."""
_HARMS = re.compile(
    r"(readonly|fsync|per-object-fsync|locking)=false|min-free-space-percent=([6-9]|\d\d+)|min-free-space-size="
)
"""Settings of the repository (ostree.repo-config(5)) by which updates are lost or refused."""
_SECTION = re.compile(r'\[remote "([^"]+)"\]')
_DEPLOYMENT = re.compile(r"([* ]) (\S+) ([0-9a-f]{64})\.(\d+)")
_REF = re.compile(r"'([^']+)'")
_EXPECTED_ORIGIN = (
    "[origin]",
    "refspec=",
    "container-image-reference=",
    "baserefspec=",
    "#",
    "override-commit=",
)


def remotes(record: Record, distro: Distro) -> list[Finding]:
    """Return every remote that is not the build's own, with its URL and verification."""
    here = _remotes(record, ("/etc/", "/ostree/"))
    shipped = _remotes(record, ("/usr/etc/",))
    found = []
    for name in sorted(here.keys() | shipped.keys() | {distro.ostree_remote}):
        if name not in here:
            found.append(Finding("remotes are the build's", name, "is gone"))
        elif name not in shipped and name != distro.ostree_remote:
            found.append(Finding("remotes are the build's", name, f"was added: {_words(here[name])}"))
        elif name in shipped and here[name] != shipped[name]:
            says = f"says {_words(here[name])}, not {_words(shipped[name])}"
            found.append(Finding("remotes are the build's", name, says))
    for line in record.file_lines("remotes"):
        if line.file.endswith("/repo/config") and _HARMS.match(line.text.strip()):
            found.append(Finding("the repository is as the build made it", line.file, f"says {line.text}"))
    return found


def _words(settings: frozenset[str]) -> str:
    return ", ".join(sorted(settings))


def _remotes(record: Record, places: tuple[str, ...]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    name = ""
    for line in record.file_lines("remotes"):
        if not line.file.startswith(places):
            continue
        text = line.text.strip()
        if text.startswith("["):
            match = _SECTION.fullmatch(text)
            name = match.group(1) if match else ""
            if name:
                found.setdefault(name, set())
        elif name and text and not text.startswith("#"):
            found[name].add("=".join(part.strip() for part in text.split("=", 1)))
    return {name: frozenset(settings) for name, settings in found.items()}


def deployed(record: Record) -> list[tuple[bool, str]]:
    """Return, for each deployment in boot order, if it is booted, and its commit."""
    matches = (_DEPLOYMENT.match(line) for line in record.lines("ostree-status"))
    return [(match.group(1) == "*", match.group(3)) for match in matches if match]


def origins(record: Record, distro: Distro, *, commit: str | None = None) -> list[Finding]:
    """Return findings unless there is one deployment: the build's commit, unchanged, from the build's
    remote.
    """
    return list(_origins(record, distro, commit))


def _origins(record: Record, distro: Distro, commit: str | None) -> Iterator[Finding]:
    rows = deployed(record)
    if len(rows) != 1:
        yield Finding("one deployment is there", "ostree admin status", f"{len(rows)} are")
    for booted, checksum in rows:
        if booted and commit and checksum != commit:
            yield Finding("the build's commit runs", checksum[:12], f"and not {commit[:12]}")
    for said in record.lines("ostree-status"):
        if any(word in said for word in ("Unlocked:", "(staged)", "(pending)", "Pinned:")):
            yield Finding("nobody has touched the deployment", "ostree admin status", said.strip())
    bound = set(_REF.findall(" ".join(record.lines("bound-refs"))))
    for line in record.file_lines("origins"):
        text = line.text.strip()
        name = line.file.rpartition("/")[2]
        if text and not text.startswith(_EXPECTED_ORIGIN):
            yield Finding("the origin is the build's", name, f"says {text}")
        remote, _, ref = text.removeprefix("refspec=").partition(":")
        if text.startswith("refspec=") and remote != distro.ostree_remote:
            yield Finding("the origin is the build's", name, f"says {text}")
        elif text.startswith("refspec=") and bound and ref not in bound:
            says = f"says {text}, and the commit is of {', '.join(sorted(bound))}"
            yield Finding("the origin is the build's", name, says)


def room(record: Record) -> list[Finding]:
    """Return file systems that have no room for an update: on /boot for a kernel and initramfs as large as
    the largest there, elsewhere a tenth.
    """
    boots: dict[str, int] = {}
    for file in record.files:
        if file.kind == "f" and file.path.startswith("/boot/ostree/"):
            directory = file.path.rpartition("/")[0]
            boots[directory] = boots.get(directory, 0) + file.size
    found = []
    for one in record.file_systems:
        needed = max(boots.values(), default=0) if one.point == "/boot" else one.size // 10
        if one.free < needed:
            says = f"has {one.free // _MIB} MiB left, and an update takes up to {needed // _MIB}"
            found.append(Finding("an update has room", one.point, says))
        elif one.free_inodes is not None and one.free_inodes < _INODES[one.point == "/boot"]:
            found.append(Finding("an update has room", one.point, f"has {one.free_inodes} inodes left"))
    return found


def os_release(record: Record, distro: Distro, version: str | None) -> list[Finding]:
    """os-release names the version of meta.json, and the distribution."""
    rule = "os-release is of this build"
    lines = [line.split("=", 1) for line in record.lines("os-release") if "=" in line]
    fields = {key: value.strip("\"'") for key, value in lines}
    found = []
    for key in ("OSTREE_VERSION", "BUILD_ID", "BUILDID"):
        named = fields.get(key)
        if version is not None and named != version and (named is not None or key == "OSTREE_VERSION"):
            found.append(Finding(rule, key, f"is {named or ''!r}; meta.json says {version!r}"))
    if not distro.accepts(fields):
        says = f"are {fields.get('ID', '')!r} and {fields.get('VARIANT_ID', '')!r}, another system's"
        found.append(Finding(rule, "ID and VARIANT_ID", says))
    if distro.title not in fields.get("PRETTY_NAME", ""):
        found.append(Finding(rule, "PRETTY_NAME", f"is {fields.get('PRETTY_NAME', '')!r}"))
    return found


def kept_arguments(record: Record, before: Sequence[str]) -> list[Finding]:
    """Return every earlier kernel argument that an entry, or the running kernel, lacks after the upgrade."""
    passing = ("ostree=", "BOOT_IMAGE=", "ignition.firstboot", "$ignition_firstboot")
    wanted = [argument for argument in before if not argument.startswith(passing)]
    places = [("/proc/cmdline", record.kernel_arguments)]
    places += [(entry.file.rpartition("/")[2], entry.options) for entry in record.entries]
    rule = "an upgrade keeps kernel arguments"
    found = []
    for where, arguments in places:
        steady = [argument for argument in arguments if not argument.startswith(passing)]
        if lost := [argument for argument in wanted if argument not in steady]:
            found.append(Finding(rule, where, f"it lost {' '.join(lost)}"))
        if gained := [argument for argument in steady if argument not in wanted]:
            found.append(Finding(rule, where, f"it gained {' '.join(gained)}"))
    if len(record.entries) < 2:
        found.append(
            Finding("an upgrade keeps the older entry", "/boot/loader/entries", "there is one entry")
        )
    return found


def kept_etc(record: Record, distro: Distro) -> list[Finding]:
    """Return files of /etc of a deployment that does not run, other than the build's and the running ones.

    What was changed before the upgrade is in both; a later change was made where nobody looks.
    """
    known = re.compile("|".join(f"(?:{pattern})" for pattern in (*EVERYWHERE, *distro.etc_written)))
    trees: dict[str, dict[str, str]] = {}
    for line in record.lines("other-etc"):
        digest, _, rest = line.partition("  ")
        deployment, _, path = rest.partition(" ")
        trees.setdefault(deployment, {})[f"/{path}"] = digest
    found = []
    for deployment, digests in sorted(trees.items()):
        for path, digest in sorted(digests.items()):
            if path.startswith("/usr/") or known.fullmatch(path):
                continue
            shipped = digests.get(f"/usr{path}")
            if digest not in (shipped, record.digests.get(path)):
                how = "was added" if shipped is None else "is another"
                says = f"{how} in {deployment[:12]}, which does not run"
                found.append(Finding("an upgrade keeps the older /etc", path, says))
    return found


def way_back(record: Record, before: Record, version: str, commit: str | None) -> list[Finding]:
    """Return findings unless the new version is booted, the older commit comes second, and remotes are
    unchanged.
    """
    rows = deployed(record)
    found = []
    if [booted for booted, _ in rows] != [True, False]:
        says = f"lists {len(rows)}, of which the first {'runs' if rows and rows[0][0] else 'does not run'}"
        found.append(Finding("an upgrade keeps the older deployment", "ostree admin status", says))
    elif commit and rows[1][1] != commit:
        found.append(
            Finding("an upgrade keeps the older deployment", rows[1][1][:12], f"is not {commit[:12]}")
        )
    if not any(version in line for line in record.lines("ostree-status")):
        found.append(Finding("an upgrade boots the new version", version, "is not there"))
    here, there = (_remotes(one, ("/etc/", "/ostree/")) for one in (record, before))
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            says = f"says {_words(here.get(name, frozenset()))}, not {_words(there.get(name, frozenset()))}"
            found.append(Finding("an upgrade keeps remotes", name, says))
    return found
