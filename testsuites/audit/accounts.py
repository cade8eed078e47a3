"""Rules for accounts and rights: existing accounts, ways to become another user, programs with others'
rights.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter

from harness.artifact import Distro
from testsuites.audit.configured import Configured
from testsuites.audit.etc import changed_lines
from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_LOCKED = ("!", "*")
_ROOTS_GROUP = {"root", "sync", "shutdown", "halt", "operator"}
"""Accounts in root's group on Fedora and openEuler; of these only root can log in."""

_POLKIT = (
    "/etc/polkit-1/",
    "/run/polkit-1/",
    "/var/lib/polkit-1/localauthority/",
    "/var/usrlocal/share/polkit-1/",
)
_LOGIN_STACK = ("/etc/pam.d/", "/etc/pam.conf", "/etc/security/", "/etc/nsswitch.conf")

_SILENT = re.compile(r"(?<=[\s,])!(syslog|log_allowed|log_denied)\b")
"""Settings of sudoers(5) by which it logs less."""

POWERFUL_GROUPS = frozenset(
    {"root", "wheel", "sudo", "admin", "docker", "disk", "shadow", "kmem", "adm", "systemd-journal", "lxd"}
)
"""Groups whose members read everything or become root."""


def second_uid0(record: Record, distro: Distro) -> list[Finding]:
    """Every account with uid 0 but root, and every uid or name that two accounts share."""
    found = [
        Finding("only root has uid 0", account.name, f"has uid 0 and the shell {account.shell}")
        for account in record.accounts
        if account.uid == 0 and account.name != "root"
    ]
    for what, values in (
        ("uid", [str(account.uid) for account in record.accounts]),
        ("name", [account.name for account in record.accounts]),
        ("gid", [str(group.gid) for group in record.groups]),
    ):
        found += [
            Finding(f"every {what} is unique", value, f"{count} entries have it")
            for value, count in Counter(values).items()
            if count > 1
            and (what, value) != ("uid", "0")
            and not (what == "gid" and int(value) in distro.shared_ids)
        ]
    found += [
        Finding("only root is in group 0", account.name, "its group is root's")
        for account in record.accounts
        if account.gid == 0 and account.name not in _ROOTS_GROUP and account.uid != 0
    ]
    return found


def added_accounts(record: Record, distro: Distro, configured: Configured) -> list[Finding]:
    """Return every account that is neither the build's, the default user, nor approved."""
    shipped = {fields[0] for fields in record.fields("shipped-accounts")}
    return [
        Finding("accounts are the build's", one.name, f"was added, uid {one.uid}, shell {one.shell}")
        for one in record.accounts
        if one.name not in shipped | {"root", distro.user}
        and not configured.approves("accounts", one.name)
        and not one.name.startswith("systemd-")  # systemd-sysusers makes these
    ]


def passwords(record: Record) -> list[Finding]:
    """Every password that is empty or set in passwd, shadow and gshadow; accounts that shadow lacks."""
    found = []
    shadow = {fields[0]: fields[1] for fields in record.fields("shadow") if len(fields) > 1}
    for account in record.accounts:
        if account.password == "":
            found.append(Finding("no password is empty", account.name, "its field in /etc/passwd is empty"))
        elif account.password != "x" and not account.password.startswith(_LOCKED):
            found.append(Finding("no password is shipped", account.name, "its hash is in /etc/passwd"))
        if account.name not in shadow and any(
            row.split(":")[0] == account.name for row in record.lines("passwd")
        ):
            found.append(Finding("every account is in shadow", account.name, "/etc/shadow lacks it"))
    for name, value in shadow.items():
        found += _password("shadow", name, value)
    for fields in record.fields("gshadow"):
        if len(fields) > 1 and fields[1]:
            found += _password("gshadow", f"group {fields[0]}", fields[1])
    return found


def _password(file: str, name: str, value: str) -> list[Finding]:
    if value == "":
        return [Finding("no password is empty", name, f"its field in /etc/{file} is empty")]
    if not value.startswith(_LOCKED):
        return [Finding("no password is shipped", name, f"its field in /etc/{file} is a password")]
    return []


def shells(record: Record, distro: Distro) -> list[Finding]:
    """Every account with a shell but those of people and of the system's shutdown accounts."""
    return [
        Finding("only people have shells", account.name, f"its shell is {account.shell or '/bin/sh'}")
        for account in record.accounts
        if account.can_log_in and account.name not in distro.shell_accounts
    ]


def memberships(record: Record, distro: Distro) -> list[Finding]:
    """Every member of a group that reads everything or becomes root, and every one that the build has not."""
    by_gid = {group.gid: group.name for group in record.groups}
    pairs = [(group.name, member) for group in record.groups for member in group.members]
    pairs += [(by_gid.get(account.gid, ""), account.name) for account in record.accounts if account.uid != 0]
    found = [
        Finding("powerful groups are for administrators", member, f"is in {group}")
        for group, member in pairs
        if group in POWERFUL_GROUPS
        and member not in {"root", distro.user, group}  # the account adm has the group adm
        and member not in _ROOTS_GROUP
    ]
    shipped = {
        (fields[0], member) for fields in record.fields("shipped-groups") for member in fields[-1].split(",")
    }
    known = {fields[0] for fields in record.fields("shipped-accounts")}
    found += [
        Finding("members of groups are the build's", member, f"is in {group.name}")
        for group in record.groups
        for member in group.members
        if member in known and (group.name, member) not in shipped and group.name not in POWERFUL_GROUPS
    ]
    return found


def sudo_rights(record: Record, distro: Distro) -> list[Finding]:
    """Every account but root and the default user that may run something by sudo, and every added rule."""
    found = [
        Finding("only administrators have sudo", account, f"may run {'; '.join(rights)}")
        for account, rights in record.sudo.items()
        if rights and account not in {"root", distro.user}
    ]
    defaults = dict.fromkeys(
        match.group() for line in record.lines("sudo") for match in _SILENT.finditer(line)
    )
    found += [Finding("what sudo does is in the journal", "sudo", f"says {one}") for one in defaults]
    return [*found, *_not_shipped(record, "sudo's rules are the build's", ("/etc/sudo",))]


def _not_shipped(record: Record, rule: str, starts: tuple[str, ...]) -> list[Finding]:
    """Every file of /etc whose path begins so and that is not what /usr/etc has, whoever wrote it."""
    found = []
    for file in record.files:
        if file.kind == "d" or not file.path.startswith(starts):
            continue
        shipped = record.all_files.get(f"/usr{file.path}")
        if shipped is None:
            found.append(Finding(rule, file.path, f"was added{changed_lines(record, file.path)}"))
        elif record.digests.get(file.path) != record.digests.get(shipped.path):
            says = f"has other content than the build's{changed_lines(record, file.path)}"
            found.append(Finding(rule, file.path, says))
    return found


def polkit_rules(record: Record) -> list[Finding]:
    """Every rule outside /usr that was added or changed, or by which polkit says yes without asking."""
    says_yes = ("Result.YES", "ResultAny=yes", "ResultActive=yes", "ResultInactive=yes")
    found = [
        Finding("polkit asks", line.file, f"says {line.text.strip()!r}")
        for line in record.file_lines("polkit")
        if any(word in line.text for word in says_yes)
    ]
    return [*found, *_not_shipped(record, "polkit's rules are the build's", _POLKIT)]


def bus_names(record: Record) -> list[Finding]:
    """Every name on the system bus that a program without rights was given, or may have when it is free."""
    answers = (line.partition(": ") for line in record.lines("bus-names"))
    return [
        Finding("the system bus gives names to services alone", name, "a user without rights may take it")
        for name, _, answer in answers
        if answer.startswith("u ")
    ]


def subordinate_ids(record: Record, distro: Distro) -> list[Finding]:
    """The default user has 65536 subordinate uids and gids; no two ranges overlap."""
    rule = "subordinate ids are whole and apart"
    found = []
    for file in ("subuid", "subgid"):
        ranges = []
        for fields in record.fields(file):
            if len(fields) == 3 and fields[1].isdigit() and fields[2].isdigit():
                ranges.append((int(fields[1]), int(fields[2]), fields[0]))
        own = sum(count for _, count, name in ranges if name in (distro.user, str(distro.user_id)))
        for start, count, name in ranges:
            held = [one.name for one in record.accounts if start <= one.uid < start + count]
            if held:
                says = f"the range of {name} has the id of {', '.join(held[:3])}"
                found.append(Finding(rule, f"/etc/{file}", says))
        if own < 65536:
            found.append(Finding(rule, f"/etc/{file}", f"{distro.user} has {own} ids, not 65536"))
        for (start, count, name), (after, _, other) in itertools.pairwise(sorted(ranges)):
            if start + count > after:
                found.append(Finding(rule, f"/etc/{file}", f"the ranges of {name} and {other} overlap"))
    return found


def setuid_files(record: Record, distro: Distro) -> list[Finding]:
    """Every setuid or setgid file and every file capability that is not the build's own."""
    rule = "programs with others' rights are the build's"
    found = []
    for file in record.files:
        if file.kind != "f" or not file.mode & 0o6000:
            continue
        kind = "setuid" if file.mode & 0o4000 else "setgid"
        if not file.path.startswith("/usr/"):
            found.append(Finding(rule, file.path, f"is {kind}, mode {file.mode:o}, and not below /usr"))
        elif file.name not in distro.setuid_programs:
            says = f"is {kind}, mode {file.mode:o}, and unknown"
            found.append(Finding(rule, file.path, says, "setuid_programs"))
    for path, capabilities in record.capabilities.items():
        if path.startswith(f"{record.canary}/"):
            continue
        shipped = path.startswith("/usr/")
        if not shipped or path.rpartition("/")[2] not in distro.capable_programs:
            field = "capable_programs" if shipped else ""
            found.append(Finding(rule, path, f"has the capabilities {capabilities}", field))
    return found


def login_stack(record: Record) -> list[Finding]:
    """Return every line of PAM that accepts anybody, every file that trusts other hosts, and variables of
    logins by which every program loads another.
    """
    found = [
        Finding("PAM asks for a proof", line.file, f"says {line.text.strip()!r}")
        for line in record.file_lines("pam")
        if _opens(line.text.split())
    ]
    found += _not_shipped(record, "the login stack is the build's", _LOGIN_STACK)
    trusting = {".rhosts", ".shosts", "hosts.equiv", "shosts.equiv", "ld.so.preload"}
    found += [
        Finding("nobody is trusted unproved", file.path, "is there, and is not the system's")
        for file in record.files
        if file.name in trusting and not file.path.startswith("/usr/")
    ]
    found += [
        Finding("no variable makes every program load another", line.file, f"says {line.text.strip()[:80]!r}")
        for line in record.file_lines("variables")
    ]
    return found


_PROVES_NOTHING = {
    "pam_permit.so", "pam_succeed_if.so", "pam_localuser.so", "pam_listfile.so", "pam_access.so",
    "pam_time.so", "pam_exec.so", "pam_usertype.so",
}  # fmt: skip
"""Modules that ask who somebody is, and for no proof of it."""


def _opens(words: list[str]) -> bool:
    """Return True for an `auth sufficient` of a module such as pam_permit.so, and for an `auth` jump that
    ends at success without a proof.
    """
    if len(words) < 3 or words[0].lstrip("-") != "auth":
        return False
    module = next((word for word in words[2:] if word.endswith(".so")), "").rpartition("/")[2]
    wheel = module == "pam_wheel.so" and "trust" in words
    enough = "sufficient" in words[1] or "success=done" in " ".join(words)
    return enough and (module in _PROVES_NOTHING or wheel)
