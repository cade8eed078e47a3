"""Rules for programs outside /usr: those that stand in for the system's, and start-up files of homes."""

from __future__ import annotations

import re

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_STARTUP = {
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".inputrc",
    ".pam_environment", ".forward", ".rhosts", ".shosts", ".netrc", ".vimrc", ".exrc", ".xprofile",
    "rc", "environment",
}  # fmt: skip
"""Files of a home that run programs for whoever logs in."""
_SETTINGS = re.compile(
    r"\.[a-z0-9_-]+rc|\.(gitconfig|rpmmacros|dockercfg|tmux\.conf|gdbinit|k5login|k5users|bash_aliases|login|logout)"
    r"|\.config/(?!systemd/user/).+|\.local/(s?bin|lib)/.+|\.(gnupg|bashrc\.d)/.+"
    r"|\.ssh/(config|config\.d/.+|known_hosts2?)"
)
"""Files of a home that say what its user's programs run, trust or ask."""
_SHADOWED = re.compile(r"/var/usrlocal/(s?bin)/([^/]+)")
_LIBRARY = re.compile(r"/var/usrlocal/lib(64)?/(.*/)?[^/]+\.so(\.[0-9.]+)?")
_OUTSIDE = re.compile(
    r"/var/(?!lib/(containers|docker|isulad|containerd|kola-)|tmp/kola|(.*/)?kola-|home/[^/]+/\.local/share/containers)"
)
"""Places in which a build has no program of its own."""


def shadowed(record: Record) -> list[Finding]:
    """Return programs and libraries that stand in for the system's, and start-up files that skel lacks."""
    found = []
    programs = {
        file.name
        for file in record.files
        if file.path.startswith(("/usr/bin/", "/usr/sbin/")) and file.kind in "fl"
    }
    for file in record.files:
        match = _SHADOWED.fullmatch(file.path)
        if match and file.kind in "fl" and match.group(2) in programs:
            found.append(Finding("programs are the system's", file.path, "runs instead of the one in /usr"))
        elif file.kind == "f" and file.mode & 0o111 and _OUTSIDE.match(file.path):
            found.append(Finding("programs are the system's", file.path, f"is a program, mode {file.mode:o}"))
        if file.kind in "fl" and _LIBRARY.fullmatch(file.path):
            found.append(Finding("programs are the system's", file.path, "is a library before those of /usr"))
    homes = {account.home for account in record.accounts if account.can_log_in} | {"/var/roothome"}
    found += _settings_of_homes(record, homes)
    for file in record.files:
        directory = file.path.rpartition("/")[0]
        home = directory.removesuffix("/.ssh")
        if file.kind not in "fl" or file.name not in _STARTUP or home not in homes:
            continue
        if directory == home and not file.name.startswith("."):
            continue
        skeleton = f"/etc/skel/{file.name}"
        digest = record.digests.get(file.path)
        if digest is None or digest not in (
            record.digests.get(skeleton),
            record.digests.get(f"/usr{skeleton}"),
        ):
            found.append(Finding("homes are as the build makes them", file.path, "is not /etc/skel's"))
    return found


def _settings_of_homes(record: Record, homes: set[str]) -> list[Finding]:
    """Return settings of programs in homes that neither /etc/skel nor /usr/share/rootfiles has."""
    found = []
    for file in record.files:
        home = next((home for home in homes if file.path.startswith(f"{home}/")), None)
        if home is None or file.kind not in "fl" or file.name in _STARTUP:
            continue
        name = file.path.removeprefix(f"{home}/")
        if not _SETTINGS.fullmatch(name):
            continue
        shipped = {f"{place}/{name}" for place in ("/usr/etc/skel", "/usr/share/rootfiles")}
        if shipped.isdisjoint(record.all_files):
            says = "is a setting that no build puts there"
            found.append(Finding("homes are as the build makes them", file.path, says))
    return found
