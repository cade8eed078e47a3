"""Rules for /etc against /usr/etc: what the build ships, and what was added, changed or removed."""

from __future__ import annotations

import re

from harness.artifact import Distro
from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding
from testsuites.audit.items import FileFact
from testsuites.audit.record import Record
from testsuites.audit.secrets import secrets

_TRUST = (
    "/etc/hosts.allow",
    "/etc/hosts.deny",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/environment",
    "/etc/ld.so.conf",
    "/etc/containers/",
    "/etc/docker/",
    "/etc/isulad/",
    "/etc/NetworkManager/conf.d/",
    "/etc/NetworkManager/NetworkManager.conf",
    "/etc/chrony",
    "/etc/ssh/ssh_config",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/sshrc",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/ca-trust/source/",
    "/etc/pki/rpm-gpg/",
    "/etc/ca-certificates",
    "/etc/crypto-policies/",
    "/etc/gnupg/",
    "/etc/rpm/",
    "/etc/yum.repos.d/",
    "/etc/rpm-ostreed.conf",
    "/etc/request-key.conf",
    "/etc/wgetrc",
    "/etc/gitconfig",
)
"""Beginnings of paths of files that say whom programs trust, ask, or load."""
_MAY_BE_SECRET = re.compile(r"pass|secret|token|key|psk|\$[0-9y][^ ]*\$|[A-Za-z0-9+/]{40}", re.I)
_LINES = 3
"""Changed lines of a file that a finding shows."""
EVERYWHERE = (
    "/etc/passwd-?",
    "/etc/group-?",
    "/etc/shadow-?",
    "/etc/gshadow-?",
    "/etc/sub[ug]id-?",
    r"/etc/\.pwd\.lock",
    r"/etc/\.updated",
    r"/etc/\.ignition-result\.json",
    "/etc/machine-id",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/adjtime",
    "/etc/resolv.conf",
    r"/etc/ssh/ssh_host_\w+_key(\.pub)?",
    r"/etc/systemd/system-preset/20-ignition\.preset",
    r"/etc/systemd/system/[^/]+\.(wants|requires)(/.*)?",
    "/etc/selinux(/.*)?",
    "/etc/ostree/remotes.d(/.*)?",
)
"""Files that every first boot writes into /etc. Other rules judge links in `.wants` and remotes."""
_UNITS = re.compile(r"/etc/systemd/((system|user)(\.\w+)?/|[^/]+\.conf)")


def trusted(record: Record, distro: Distro) -> list[Finding]:
    """Return every file of /etc that says whom programs trust, ask or load, and that the build has not so.

    A first boot writes none of these but what the profile names: they are held against /usr/etc.
    """
    known = re.compile("|".join(f"(?:{pattern})" for pattern in distro.etc_written) or "(?!)")
    rule = "whom programs trust is the build's choice"
    found = []
    for file in record.files:
        if file.kind == "d" or not file.path.startswith(_TRUST) or known.fullmatch(file.path):
            continue
        shipped = record.all_files.get(f"/usr{file.path}")
        if shipped is None:
            found.append(Finding(rule, file.path, f"was added{changed_lines(record, file.path)}"))
        elif (file.kind, file.target) != (shipped.kind, shipped.target) or (
            record.digests.get(file.path) != record.digests.get(shipped.path)
        ):
            found.append(Finding(rule, file.path, f"is not the build's{changed_lines(record, file.path)}"))
    return found


def etc_differences(record: Record, distro: Distro, configured: Configured) -> list[Finding]:
    """Return files of /etc that differ from /usr/etc, except those that the config and a first boot write."""
    known = re.compile("|".join(f"(?:{pattern})" for pattern in (*EVERYWHERE, *distro.etc_written)))
    here = {file.path: file for file in record.files if file.path.startswith("/etc/")}
    shipped = {
        file.path.removeprefix("/usr"): file for file in record.files if file.path.startswith("/usr/etc/")
    }
    found = []
    for path in sorted(here.keys() | shipped.keys()):
        kinds = {file.kind for file in (here.get(path), shipped.get(path)) if file is not None}
        # The rules for units judge these.
        is_unit = _UNITS.match(path) and (kinds == {"l"} or path not in shipped)
        if known.fullmatch(path) or configured.wrote(path) or is_unit:
            continue
        says = _difference(record, here.get(path), shipped.get(path))
        if says:
            found.append(Finding("/etc is what the build ships", path, says, "etc_written"))
    return found


def _difference(record: Record, here: FileFact | None, shipped: FileFact | None) -> str:
    if here is None:
        return "is gone"
    if shipped is None:
        says = f"was added, mode {here.mode:o}{changed_lines(record, here.path)}"
        return "" if here.kind == "d" else says
    if (here.kind, here.target) != (shipped.kind, shipped.target):
        return f"is another file or leads elsewhere: {here.target or here.kind}"
    if (here.mode, here.uid, here.gid) != (shipped.mode, shipped.uid, shipped.gid):
        return (
            f"has mode {here.mode:o} and owner {here.uid}:{here.gid}, "
            f"not {shipped.mode:o} and {shipped.uid}:{shipped.gid}"
        )
    if record.digests.get(here.path) != record.digests.get(shipped.path):
        return f"has other content{changed_lines(record, here.path)}"
    return ""


def changed_lines(record: Record, path: str) -> str:
    """Return the first lines that were added to a file or taken out, but for those that may hold a secret."""
    rows = (line.partition("\t") for line in record.lines("etc-changes"))
    shown = [text for file, _, text in rows if file == path and not _MAY_BE_SECRET.search(text)]
    if shown and path in {one.item for one in secrets(record)}:
        return ""
    shown.sort(key=lambda text: text.startswith("-"))
    return f": {' / '.join(shown[:_LINES])}" if shown else ""
