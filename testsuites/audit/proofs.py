"""Proof that the guest's tools work: a search that finds nothing must not mean a broken tool."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.packets import CHAIN
from testsuites.audit.record import CANARY_RIGHT, Record

_RULE = "the tool works"
_PLANTED = {
    "setuid": ("f", 0o4755),
    "open": ("f", 0o666),
    "open.d": ("d", 0o777),
    "device": ("c", 0o600),
    "orphan": ("f", None),
    ".hidden": ("f", 0o2755),
}
_SECRET = b"-----BEGIN CANARY PRIVATE KEY-----\n"
_SSHD = {
    "passwordauthentication": "yes",
    "kbdinteractiveauthentication": "yes",
    "permitrootlogin": "yes",
    "permitemptypasswords": "yes",
    "hostbasedauthentication": "yes",
    "authorizedkeysfile": "/canary",
}
"""Settings from the command line of one `sshd -T`, which has to print them."""
_PROPERTY = re.compile(r"u (\d+)")
_BUS_ANSWER = re.compile(r": u \d+$|not allowed|denied|refused", re.IGNORECASE)
"""Answers of dbus-daemon and dbus-broker to the request for a name."""
_UNIX_LISTENS = "00010000"
"""The flag of a listening socket in /proc/net/unix (__SO_ACCEPTCON)."""
_LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def broken_tools(record: Record) -> list[Finding]:
    """Return tools of the guest that miss planted items, or items that the kernel itself reports."""
    return [Finding(_RULE, tool, says) for tool, says in _broken(record)]


def broken_commit(record: Record) -> list[Finding]:
    """`ostree ls`, when it does not list what every commit has, and does not say why."""
    if record.lines("committed-errors") or (
        len(record.committed) > 100
        and not record.committed.keys().isdisjoint({"/usr/bin/sh", "/usr/bin/bash"})
    ):
        return []
    return [Finding(_RULE, "ostree", f"`ostree ls` lists {len(record.committed)} files of the booted commit")]


def broken_packages(record: Record) -> list[Finding]:
    """`rpm -qa`, when it lists no package. Other rules do not need it."""
    return [] if record.packages else [Finding(_RULE, "rpm", "`rpm -qa` lists no package")]


def _broken(record: Record) -> Iterator[tuple[str, str]]:
    if not record.complete:
        yield "sh", "the collector did not run to its end"
    for name, (kind, mode) in _PLANTED.items():
        file = record.all_files.get(f"{record.canary}/{name}")
        if file is None or file.kind != kind or (mode is not None and file.mode != mode):
            yield "find", f"it does not list the planted {name} as it is"
    if f"{record.canary}/secret" not in record.lines("retimed"):
        yield "find", "it does not tell that a planted file is younger than ostree's"
    if f"{record.canary}/capable" not in record.capabilities:
        yield "getcap", "it does not list the planted file that has a capability"
    if f"{record.canary}/fixed" not in record.attributes:
        yield "lsattr", "it does not list the planted file that nobody may change"
    if not any(line.endswith(f"{record.canary}/open") for line in record.lines("access-lists")):
        yield "ls", "it does not list a planted file"
    if not any(line.startswith(f"{record.canary}/authority.crt\t") for line in record.lines("authorities")):
        yield "awk", "it does not list the planted certificate"
    if 1 not in record.processes_later:
        yield "sh", "it does not list process 1 in /proc"
    if not record.file_systems:
        yield "df", "it lists no file system"
    seen = {line.file.rpartition("/")[2] for line in record.secrets if line.file.startswith(record.canary)}
    if not {"secret", "public"} <= seen:
        yield "grep", "it does not find the planted keys"
    if not any(path.startswith("/usr/etc/") for path in record.digests):
        yield "sha256sum", "it has no digest of a file in /usr/etc"
    if not record.sudo.get("root"):
        yield "sudo", "it says that not even root may run anything"
    known = {account.name for account in record.accounts}
    if unseen := sorted(known - record.sudo.keys()):
        yield "sudo", f"it says nothing of {', '.join(unseen)}"
    if not any(len(policy.settings) > 40 for policy in record.policies):
        yield "sshd", "`sshd -T` does not print its settings"
    names = {unit.name for unit in record.units}
    if not {"multi-user.target", "dbus.socket"} & names or len(names) < 50:
        yield "systemctl", f"it lists {len(names)} units"
    if not record.file_lines("presets"):
        yield "grep", "it finds no presets"
    if unseen := [name for name in ("loopback", "routes") if not record.lines(name)]:
        yield "ip", f"it does not list any {' or '.join(unseen)}"
    if not any(line.split()[1:2] == ["/tmp"] for line in record.lines("tmpfiles")):
        yield "systemd-tmpfiles", "it does not print the line for /tmp"
    if unclear := [line for line in record.lines("bus-names") if not _BUS_ANSWER.search(line)]:
        yield "busctl", f"it neither gives nor refuses a name: {unclear[0]}"
    if not record.lines("bus-names"):
        yield "busctl", "it prints nothing"
    if "two files that differ" in record.lines("boot-files"):
        yield "cmp", "it says that a kernel and its initramfs are the same"
    if not record.lines("swaps"):
        yield "cat", "it prints nothing of /proc/swaps"
    if not record.sysctl or not record.mounts:
        yield "sysctl", "it prints nothing"
    if missed := _listening(record) - {(one.protocol, one.port) for one in record.sockets}:
        yield "ss", f"it does not list {sorted(missed)}, which /proc/net says is open"
    if 1 not in record.cgroups or len(record.cgroups) < 20:
        yield "ps", f"it lists {len(record.cgroups)} processes"
    if not any(path.endswith("/systemd") for path in record.programs.values()):
        yield "find", "it does not list the programs of processes"
    yield from _disagreeing(record)
    yield from _of_packets(record)


def _of_packets(record: Record) -> Iterator[tuple[str, str]]:
    """Tools that miss the planted rule, or an interface that /sys has."""
    planted = record.lines("packet-rules-canary")
    if planted and not any(line.startswith(f":{CHAIN} ") for line in planted):
        yield "iptables-save", "it does not list the planted chain"
    shown = " ".join(record.lines("interfaces"))
    names = [line.rstrip("/").rpartition("/")[2] for line in record.lines("read-interfaces")]
    if unseen := [name for name in names if f" {name}:" not in shown and f" {name}@" not in shown]:
        yield "ip", f"it does not list {', '.join(unseen[:3])}, which /sys/class/net has"
    if not record.lines("traffic"):
        yield "tc", "it lists no interface"
    if not record.lines("routing-rules"):
        yield "ip", "it lists no routing rule"


def _disagreeing(record: Record) -> Iterator[tuple[str, str]]:
    """Programs that say otherwise than the kernel, the shell, or another program, where those were asked."""
    unseen = [path for path in record.lines("globbed") if not set(path) & set("*?[")]
    unseen = sorted(path for path in unseen if path.startswith("/") and path not in record.all_files)
    if unseen:
        yield "find", f"it does not list {', '.join(unseen[:3])}, which the shell does"
    if record.lines("read-accounts") != record.lines("cat-accounts"):
        yield "cat", "it prints other accounts than the shell reads"
    known = {line.partition(":")[0] for line in record.lines("read-accounts")}
    listed = {one.name for one in record.accounts} | {one.name for one in record.groups}
    if missed := known - listed - {"+", "-", ""}:
        yield "getent", f"it does not list {', '.join(sorted(missed)[:3])}"
    digest = record.digests.get(f"{record.canary}/secret")
    if digest is not None and digest != hashlib.sha256(_SECRET).hexdigest():
        yield "sha256sum", "it prints a wrong digest of a known file"
    for line in record.lines("read-sysctl"):
        key, _, value = line.partition(" = ")
        shown = record.sysctl.get(key.replace("/", "."), value)
        if shown.split() != value.split():
            yield "sysctl", f"it prints {shown} for {key}, and /proc/sys has {value}"
    told = record.settings("sshd-canary")
    for key, value in _SSHD.items():
        if told and told.get(key, ("",))[0] != value:
            yield "sshd", f"`sshd -T` prints {key} {told.get(key, ('nothing',))[0]}, and was told {value}"
    if record.lines("sudo") and not any(
        CANARY_RIGHT in line for line in record.lines("sudo") if line.startswith("nobody:")
    ):
        yield "sudo", "it does not list a right that nobody was given"
    for says in unlisted(record):
        yield "systemctl", says
    shown_paths = {one.path for one in record.unix_sockets}
    rows = (line.split() for line in record.lines("proc-unix"))
    listening = {row[7] for row in rows if len(row) == 8 and row[3] == _UNIX_LISTENS}
    if hidden := sorted(path for path in listening if path not in shown_paths):
        yield "ss", f"it does not list {', '.join(hidden[:3])}, which /proc/net/unix says is open"


def unlisted(record: Record) -> Iterator[str]:
    """Yield a sentence when systemctl lists fewer failed units than systemd itself counts."""
    match = _PROPERTY.match(" ".join(record.lines("manager")))
    failed = [one.name for one in record.units if one.manager == "system" and one.active == "failed"]
    if match and int(match.group(1)) > len(failed):
        yield f"it lists {len(failed)} failed units, and systemd counts {match.group(1)}"


def _listening(record: Record) -> set[tuple[str, int]]:
    """Return protocols and ports that the kernel itself reports as listening on any address."""
    found = set()
    for line in record.file_lines("proc-net"):
        fields = line.text.split()
        protocol = line.file.rpartition("/")[2].rstrip("6")
        if len(fields) < 4 or ":" not in fields[1] or fields[1].startswith("local"):
            continue
        remote_is_open = fields[2].endswith(":0000")
        if remote_is_open and (fields[3] == _LISTENING or protocol == "udp"):
            found.add((protocol, int(fields[1].rpartition(":")[2], 16)))
    return found
