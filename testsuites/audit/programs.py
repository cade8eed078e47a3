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
