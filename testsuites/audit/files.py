"""Rules for files: modes, owners, device nodes, keys, and /etc against what the build ships."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.artifact import Distro
from testsuites.audit.configured import Configured
from testsuites.audit.finding import Finding
from testsuites.audit.items import FileFact
from testsuites.audit.record import Record

_VOLATILE = ("/run/", "/dev/", "/proc/", "/sys/")
_SECRET = {"/etc/shadow": 0o027, "/etc/gshadow": 0o027, "/etc/shadow-": 0o027, "/etc/gshadow-": 0o027}
"""Bits of the mode that must not be set."""
_FOR_ALL = {
    **dict.fromkeys(("/tmp", "/var/tmp", "/dev/shm"), ("d", 0o1777)),
    **dict.fromkeys(
        ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"),
        ("c", 0o666),
    ),
}
"""Kinds and modes of what every program needs."""
_JOBS = ("/etc/cron", "/var/spool/cron/", "/var/spool/at/", "/etc/anacrontab", "/etc/rc.local")
_HOOKS = (
    "/etc/NetworkManager/dispatcher.d/",
    "/etc/udev/rules.d/",
    "/etc/init.d/",
    "/etc/rc.d/",
    "/etc/profile.d/",
    "/etc/kernel/install.d/",
    "/etc/dhcp/",
    "/etc/networkd-dispatcher/",
    "/etc/xdg/autostart/",
    "/etc/dbus-1/",
    "/etc/modprobe.d/",
    "/etc/modules-load.d/",
    "/etc/tmpfiles.d/",
    "/etc/sysusers.d/",
    "/etc/binfmt.d/",
    "/etc/logrotate.d/",
    "/etc/update-motd.d/",
    "/etc/request-key.d/",
    "/run/udev/rules.d/",
    "/run/modprobe.d/",
    "/run/tmpfiles.d/",
    "/run/sysctl.d/",
    "/run/dbus-1/",
    "/run/binfmt.d/",
    "/run/modules-load.d/",
    "/run/sysusers.d/",
    "/var/usrlocal/share/dbus-1/",
    "/var/usrlocal/lib/binfmt.d/",
    "/var/usrlocal/lib/modprobe.d/",
    "/var/usrlocal/lib/sysusers.d/",
    "/var/usrlocal/lib/udev/",
    "/var/usrlocal/lib/modules-load.d/",
    "/var/usrlocal/lib/tmpfiles.d/",
    "/var/usrlocal/lib/sysctl.d/",
)
"""Directories whose files root, or whoever logs in, runs without a unit."""
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
_NO_PASSWORD = re.compile(
    r"[=:]\s*[\"']?(pass:|file:|files\b|none\b|yes\b|no\b|true\b|false\b|null\b|ask\b|\d+[\"']?$)", re.I
)
_MAY_BE_SECRET = re.compile(r"pass|secret|token|key|psk|\$[0-9y][^ ]*\$|[A-Za-z0-9+/]{40}", re.I)
_LINES = 3
"""Changed lines of a file that a finding shows."""
_LOCALHOST = re.compile(r"localhost[46]?")
_NAMED = re.compile(r"(localhost|localhost[46])(\.localdomain[46]?)?|ip6-\w+|[^.]*\.localdomain")
_JOURNALS = ("/var/log/journal", "/run/log/journal")
"""Beginnings of paths to which journald itself and systemd's tmpfiles.d give access lists."""
_STATIC_NODES = "/run/tmpfiles.d/static-nodes.conf"
"""The file that kmod-static-nodes.service writes at every boot."""
_GENERATOR = re.compile(r"/systemd/((system|user)(-environment)?-generators|system-(shutdown|sleep))/")
_CREDENTIAL_FILES = {
    ".netrc", ".git-credentials", ".pgpass", "credentials.json", ".npmrc", ".pypirc", ".vault-token",
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk",
}  # fmt: skip
_CREDENTIAL_PATHS = (
    ".docker/config.json",
    ".aws/credentials",
    ".kube/config",
    ".p12",
    ".pfx",
    ".jks",
    ".kdbx",
)
_PRIVATE_DEVICE = re.compile(r"b /dev/|c /dev/(mem|kmem|port|nvram|sg\d|uinput|cpu/)")
_DISK_GROUPS = {"root", "disk", "cdrom", "floppy", "optical"}
PUBLIC_KEY = re.compile(r"(ssh|ecdsa|sk)-\S+ AAAA")
_HOST_KEY = re.compile(r"/etc/ssh/ssh_host_\w+_key(\.pub)?")

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


def world_writable(record: Record) -> list[Finding]:
    """Return files and directories that all may write, device nodes outside /dev, files without an owner."""
    return [*_open_files(record), *beyond_modes(record), *_swap(record)]


def _swap(record: Record) -> Iterator[Finding]:
    """Swap that others than root may read, or that lies in a file that is not root's."""
    for line in record.lines("swaps")[1:]:
        path = line.split()[0]
        file = record.all_files.get(path)
        if file is not None and (file.uid != 0 or file.mode & 0o007):
            says = f"memory is written to it; it belongs to {file.uid}:{file.gid}, mode {file.mode:o}"
            yield Finding("swap is root's", path, says)


def beyond_modes(record: Record) -> list[Finding]:
    """Return files whose mode does not tell all: those with access lists, or attributes against changes."""
    found = [
        Finding("modes say who may do what", path, "has an access list besides its mode")
        for path in record.access_lists
        if not path.startswith(_JOURNALS)
    ]
    for path, letters in sorted(record.attributes.items()):
        if not path.startswith(f"{record.canary}/"):
            says = "is immutable (chattr +i)" if "i" in letters else "can only grow (chattr +a)"
            found.append(Finding("root may change files", path, says))
    return found


def _open_files(record: Record) -> Iterator[Finding]:
    uids = {account.uid for account in record.accounts}
    names = {group.gid: group.name for group in record.groups}
    gids = names.keys()
    homes = {account.home: account.uid for account in record.accounts if account.can_log_in and account.uid}
    homes = {home: uid for home, uid in homes.items() if home.startswith(("/var/home/", "/home/"))}
    for file in record.files:
        mode = f"mode {file.mode:o}"
        if file.path in _FOR_ALL and (file.kind, file.mode) != _FOR_ALL[file.path]:
            yield Finding("what is for all is open to all", file.path, f"is {file.kind} with {mode}")
        if (
            file.path.startswith("/dev/")
            and file.mode & 0o006
            and _PRIVATE_DEVICE.match(f"{file.kind} {file.path}")
        ):
            yield Finding("disks and memory are root's", file.path, f"all may open it, {mode}")
        elif file.path.startswith("/dev/") and file.kind == "b":
            group = names.get(file.gid, str(file.gid))
            if file.uid != 0 or (group not in _DISK_GROUPS and file.mode & 0o060):
                says = f"belongs to {file.uid} and the group {group}, {mode}"
                yield Finding("disks and memory are root's", file.path, says)
        if file.path.startswith(_VOLATILE) and file.kind not in "fd":
            continue
        if file.path.startswith("/dev/"):
            continue
        if file.kind in "bc":
            if not file.path.startswith("/dev/"):
                yield Finding("device nodes are in /dev", file.path, f"is a device node, {mode}")
        elif file.kind == "f" and file.mode & 0o002:
            yield Finding("nobody writes others' files", file.path, f"all may write it, {mode}")
        elif file.kind == "d" and file.mode & 0o002 and not file.mode & 0o1000:
            yield Finding("shared directories are sticky", file.path, f"all may remove files in it, {mode}")
        if file.path.startswith("/etc/") and file.kind in "fd" and not _roots(record, file):
            yield Finding("/etc is root's", file.path, f"belongs to {file.uid}:{file.gid}, {mode}")
        if file.uid not in uids or file.gid not in gids:
            yield Finding("every file has an owner", file.path, f"belongs to {file.uid}:{file.gid}")
        if file.mode & _SECRET.get(file.path, 0):
            yield Finding("hashes are secret", file.path, mode)
        elif file.path in _SECRET and (group := names.get(file.gid, "")) not in ("root", "shadow"):
            yield Finding("hashes are secret", file.path, f"belongs to the group {group}, {mode}")
        if _HOST_KEY.fullmatch(file.path) and not file.name.endswith(".pub") and file.mode & 0o007:
            yield Finding("host keys are secret", file.path, mode)
        if file.path in homes and file.kind == "d":
            if file.uid != homes[file.path]:
                yield Finding(
                    "homes are their users'", file.path, f"belongs to {file.uid}:{file.gid}, {mode}"
                )
            elif file.mode & 0o022 and not file.mode & 0o002:
                yield Finding("homes are their users'", file.path, f"others may write it, {mode}")
        yield from _foreign_in_home(file, homes)
        if file.path in ("/var/roothome", "/root") and file.kind == "d" and file.mode & 0o022:
            yield Finding("root's home is root's", file.path, mode)


def _foreign_in_home(file: FileFact, homes: dict[str, int]) -> Iterator[Finding]:
    """A file in a user's home that is somebody else's; images of containers belong to subordinate ids."""
    for home, uid in homes.items():
        inside = file.path.startswith(f"{home}/") and "/containers/storage/" not in file.path
        if inside and file.uid != uid and file.kind in "fd":
            says = f"belongs to {file.uid}:{file.gid}, not to {uid}"
            yield Finding("homes are their users'", file.path, says)


def _roots(record: Record, file: FileFact) -> bool:
    """Return True for a file that root alone may change, and for one that is as the build ships it."""
    shipped = record.all_files.get(f"/usr{file.path}")
    if shipped is not None and (shipped.uid, shipped.gid, shipped.mode) == (file.uid, file.gid, file.mode):
        return True
    return file.uid == 0 and (file.gid == 0 or not file.mode & 0o020)


def foreign_hosts(record: Record) -> list[Finding]:
    """Return every name in /etc/hosts that is not the machine's own or one of the harness's services."""
    found = []
    shipped = set(record.lines("hosts-shipped"))
    own = set(record.lines("hostname")) | {name.partition(".")[0] for name in record.lines("hostname")}
    for line in record.lines("hosts"):
        address, *names = line.partition("#")[0].split() or [""]
        if not address or line in shipped or address.startswith("10.99."):
            continue
        here = address.startswith(("127.", "::1", "fe00::", "ff0"))
        moved = [name for name in names if _LOCALHOST.fullmatch(name)]
        if moved and address not in ("127.0.0.1", "::1"):
            says = f"{' '.join(moved)} is {address}, not 127.0.0.1 or ::1"
            found.append(Finding("names are not redirected", "/etc/hosts", says))
        strange = [
            name
            for name in names
            if not (here and (_NAMED.fullmatch(name) or name in own)) and not name.endswith(".kola.test")
        ]
        if strange:
            says = f"{' '.join(strange)} is {address}"
            found.append(Finding("names are not redirected", "/etc/hosts", says))
    return found


def planted_jobs(record: Record) -> list[Finding]:
    """Cron jobs, hooks, systemd generators and handlers of binaries that are not the build's."""
    shipped = {path.removeprefix("/usr") for path in record.all_files if path.startswith("/usr/etc/")}
    found = []
    for file in record.files:
        if file.kind not in "fl" or file.path in shipped or file.path.startswith("/usr/lib/"):
            continue
        if file.path.startswith(_JOBS) and file.name != ".placeholder":
            found.append(Finding("nothing runs by cron", file.path, "is a job that the build does not have"))
        if file.path.startswith(_HOOKS) and file.path != _STATIC_NODES:
            says = f"is a hook that the build does not have{changed_lines(record, file.path)}"
            found.append(Finding("nothing runs by a hook", file.path, says))
        if _GENERATOR.search(file.path) and not file.path.startswith("/usr/etc/"):
            found.append(
                Finding("generators are the build's", file.path, "is run by systemd, and is not below /usr")
            )
    for name, says in sorted(record.binary_handlers.items()):
        found.append(Finding("nothing runs by a hook", f"binfmt_misc {name}", f"hands binaries on: {says}"))
    return found


def secrets(record: Record) -> list[Finding]:
    """Return private keys and credentials anywhere in /etc, /var, /run and /boot, except sshd's host keys."""
    found = []
    for line in record.secrets:
        if line.file.startswith(f"{record.canary}/") or _HOST_KEY.fullmatch(line.file):
            continue
        if not PUBLIC_KEY.search(line.text):
            found.append(Finding("no secret is shipped", line.file, f"holds {line.text.strip()[:40]!r}"))
    for line in record.file_lines("passwords"):
        if line.file.startswith(f"{record.canary}/") or line.file.endswith("/nsswitch.conf"):
            continue
        if line.file == "/etc/shadow" or _NO_PASSWORD.search(line.text):
            continue
        key = line.text.strip().partition("=")[0].partition(":")[0][:40]
        found.append(Finding("no password is shipped", line.file, f"has a value for {key!r}"))
    for file in record.files:
        if file.kind == "f" and (file.name in _CREDENTIAL_FILES or file.path.endswith(_CREDENTIAL_PATHS)):
            found.append(Finding("no secret is shipped", file.path, "is a file of credentials"))
    return found


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
    shown.sort(key=lambda text: text.startswith("-"))
    return f": {' / '.join(shown[:_LINES])}" if shown else ""


def committed(record: Record) -> list[Finding]:
    """Every file below /usr that is not as the booted commit has it: kind, mode, owner, size, object."""
    rule = "/usr is what was committed"
    replaced = set(record.lines("unlinked"))
    here = {
        file.path: file
        for file in record.files
        if file.path.startswith("/usr/") or (file.path == "/usr" and file.kind == "d")
    }
    if len(replaced) > len(here) // 2:
        replaced.clear()  # a deployment of copies, as on another file system
    # A list that ends at a missing object tells nothing of the files after it.
    broken = [line for line in record.lines("committed-errors") if line.strip()]
    found = [Finding("the repository has all of the commit", "ostree ls", f"says {line}") for line in broken]
    for path in sorted(here.keys() | record.committed.keys()):
        file, original = here.get(path), record.committed.get(path)
        if original is None and broken:
            continue
        if original is None:
            found.append(Finding(rule, path, "is not in the commit"))
        elif file is None:
            found.append(Finding(rule, path, "is in the commit, and not there"))
        elif (file.kind, file.mode, file.uid, file.gid) != (
            original.kind, original.mode, original.uid, original.gid,
        ):  # fmt: skip
            says = f"has mode {file.mode:o} and owner {file.uid}:{file.gid}, not {original.mode:o} and "
            found.append(Finding(rule, path, f"{says}{original.uid}:{original.gid}"))
        elif file.kind == "f" and file.size != original.size:
            found.append(Finding(rule, path, f"has {file.size} bytes, not {original.size}"))
        elif path in replaced:
            found.append(Finding(rule, path, "was replaced: it is no link to the repository's object"))
        elif file.kind == "l" and file.target != original.target:
            found.append(Finding(rule, path, f"leads to {file.target}, not {original.target}"))
        elif path in record.changed:
            found.append(Finding(rule, path, "was written since it was deployed"))
    return found


def commit_is_whole(record: Record) -> list[Finding]:
    """The booted commit's object has the checksum that names it."""
    words = " ".join(record.lines("commit")).split()
    if len(words) >= 2 and words[0] == words[1]:
        return []
    return [
        Finding("the commit is what its name says", (words or ["(none)"])[0][:12], "has another checksum")
    ]
