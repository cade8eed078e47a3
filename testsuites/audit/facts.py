"""The facts of a record: properties of the build, without differences between its machines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.booting import foreign_files
from testsuites.audit.declared import as_declared
from testsuites.audit.items import Line
from testsuites.audit.masking import masked
from testsuites.audit.modes import beyond_modes, world_writable
from testsuites.audit.network import queues_of
from testsuites.audit.packets import traffic
from testsuites.audit.record import Record
from testsuites.audit.secrets import key_of, secrets

_SSHD = (
    "port", "permitrootlogin", "pubkeyauthentication", "passwordauthentication",
    "kbdinteractiveauthentication",
    "permitemptypasswords", "hostbasedauthentication", "authorizedkeysfile", "authorizedkeyscommand",
    "pubkeyacceptedalgorithms", "authenticationmethods", "allowusers", "denyusers", "allowgroups",
    "denygroups", "subsystem", "trustedusercakeys", "authorizedprincipalsfile", "authorizedprincipalscommand",
    "forcecommand", "permituserenvironment", "strictmodes", "usepam", "gssapiauthentication", "ignorerhosts",
    "ciphers", "macs", "kexalgorithms", "hostkeyalgorithms",
)  # fmt: skip
_VOLATILE_FILES = re.compile(
    r"/(proc|sys|dev|tmp|var/tmp|var/log|var/cache|sysroot|boot)(/.*)?"
    r"|/run(/(?!systemd/system/|udev/rules\.d/).*)?|/run/systemd/system/.*kola-.*"
    r"|/etc/(machine-id|hostname|hosts|resolv\.conf|adjtime|\.updated|\.pwd\.lock|\.ignition-result\.json)"
    r"|/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?"
    r"|/etc/ssh/ssh_host_.*|/etc/systemd/system-preset/20-ignition\.preset"
    r"|/etc/systemd/system/.*kola-.*|/etc/systemd/system/dev-virtio.*"
    r"|/var/lib/(systemd/(?!linger/)|NetworkManager/|chrony/).*"
    r"|/var/tmp/kola-.*"
    r"|.*/\.sudo_as_admin_successful|.*/\.ssh(/.*)?"
)
_VOLATILE_SYSCTL = re.compile(
    r"kernel\.(random\..*|ns_last_pid|hostname|domainname|threads-max|pty\.nr|perf_.*|sched_domain\..*|core_pipe.*)"
    r"|fs\.(dentry-state|file-.*|inode-.*|aio-nr|epoll\..*|quota\..*|pipe-user.*|.*max_user.*)"
    r"|net\.(netfilter|ipv[46]\.(conf\.(?!all|default)|neigh|route|tcp_.*mem|udp_mem)).*|net\.ipv4\.(tcp|udp)_.*mem"
    r"|vm\..*(reserve|min_free).*|user\.max_.*|dev\..*|abi\..*|net\.ipv4\.tcp_max_.*"
)
_ENABLING = re.compile(
    r"(/etc|/run)/systemd/(system|user|system\.control)/|/run/systemd/generator[^/]*/|.*/\.config/systemd/user/"
)
_LINGER = "/var/lib/systemd/linger/"
_PASSING_UNITS = re.compile(
    r"session-|user@|user-runtime-dir@|run-|systemd-(hostnamed|timedated|localed)|kola-"
)
_VERSION = re.compile(r"\b\d+[\w-]*(?:\.[\w-]+)+")
_NUMBER = re.compile(r"(?<=/)\d+(?=/|$)|[0-9a-f]{8,}")
_TOLD = {"proc", "ext4", "xfs", "btrfs"}
"""File systems whose options are equal on all machines of one image."""
_PASSING_MOUNTS = re.compile(
    r"/run/(user|credentials|netns|containers)/.*|/proc/sys/fs/binfmt_misc|/sys/(kernel/config|fs/fuse/connections)"
)
"""Mount points of logins, and those that appear when somebody first looks."""
_PHASE = re.compile(r"(?:(\d+)min )?([0-9.]+)(m?s) \((firmware|loader|kernel|initrd|userspace)\)")
_VOLATILE_ARGUMENTS = ("BOOT_IMAGE=", "ostree=", "ignition.firstboot", "$ignition_firstboot")


def facts_of(record: Record) -> dict[str, dict[str, str]]:
    """Return categories of facts, equal for all machines of one image. None holds a secret."""
    return {
        category: {masked(item): masked(says) for item, says in facts.items()}
        for category, facts in _facts(record).items()
    }


def _facts(record: Record) -> dict[str, dict[str, str]]:
    return {
        "accounts": {
            one.name: f"uid {one.uid} gid {one.gid} {one.home} {one.shell}, {_lock(record, one.name)}"
            for one in record.accounts
        },
        "groups": {
            one.name: f"gid {one.gid} members {' '.join(sorted(one.members))}".rstrip()
            + _group_lock(record, one.name)
            for one in record.groups
        },
        "subordinate-ids": {
            f"{file} {fields[0]}": " ".join(fields[1:])
            for file in ("subuid", "subgid")
            for fields in record.fields(file)
        },
        "sudo": {account: "; ".join(rights) for account, rights in record.sudo.items() if rights},
        "ways-in": _ways_in(record),
        "keys": {line.file: key_of(line.text) for line in record.secrets if _shipped_key(record, line)},
        "listeners": {f"{one.protocol} {one.address}:{one.port}": one.process for one in record.sockets},
        "enabled-units": {
            file.path.removeprefix("/etc/systemd/system/"): file.target
            for file in record.files
            if file.kind == "l" and _ENABLING.match(file.path) and "kola-" not in file.path
        }
        | {file.path: "without a login" for file in record.files if file.path.startswith(_LINGER)},
        "running-units": {
            one["Id"]: one.get("FragmentPath", "")
            for one in record.shown("services")
            if one.get("ActiveState") == "active" and not _PASSING_UNITS.match(one.get("Id", ""))
        },
        "unix-listeners": _unix_listeners(record),
        "states": {
            f"{one.name} of {one.manager}": one.active
            for one in record.units
            if one.active == "failed" or one.sub == "auto-restart" or one.load in ("error", "bad-setting")
        }
        | {
            line.split()[1]: "its job has not ended" for line in record.lines("jobs") if len(line.split()) > 3
        },
        "consoles": {one.get("Id", "?"): _command(one.get("ExecStart", "")) for one in record.shown("gettys")}
        | {
            one.terminal: f"{one.name} of {one.unit or 'no unit'}"
            for one in record.cgroups.values()
            if not one.terminal.startswith(("?", "-", "pts/"))
        },
        "setuid": {
            file.path: f"mode {file.mode:o} owner {file.uid}:{file.gid}"
            for file in record.files
            if file.kind == "f" and file.mode & 0o6000
        },
        "capabilities": {
            path: value
            for path, value in record.capabilities.items()
            if not path.startswith(f"{record.canary}/")
        },
        "open-files": _open_files(record),
        "beyond-modes": {one.item: one.says for one in beyond_modes(record)},
        "binary-handlers": dict(record.binary_handlers),
        "packets": {f"{one.rule}: {one.item}": one.says for one in traffic(record)},
        "declared": {one.item: one.says for one in as_declared(record)},
        "mounts": _mounts(record),
        "network": _network(record),
        "swap": {path: words for path, words in _swap(record)},
        "kernel-arguments": _kernel_arguments(record),
        "boot-entries": {
            entry.file.rpartition("/")[2]: " ".join(
                (
                    f"{_VERSION.sub('VERSION', entry.fields.get('title', ''))}, "
                    f"version {entry.fields.get('version', '')}:",
                    *(one for one in entry.options if not one.startswith(_VOLATILE_ARGUMENTS)),
                    *(f"(its {key} is not the deployment's)" for key in foreign_files(record, entry)),
                )
            )
            for entry in record.entries
        },
        "boot-menu": _boot_menu(record),
        "deployments": {
            _NUMBER.sub("N", line.file.rpartition("/")[2]) + f" {line.text.partition('=')[0]}": line.text
            for line in record.file_lines("origins")
            if line.text.strip() and not line.text.startswith("#")
        }
        | {
            line.strip(): "is said by ostree"
            for line in record.lines("ostree-status")
            if any(word in line for word in ("Unlocked:", "(staged)", "(pending)", "Pinned:"))
        },
        "names": {
            f"{name} {line.strip()}": "is there"
            for name in ("names", "hosts")
            for line in record.lines(name)
            if line.strip() and not line.startswith("#") and ".kola.test" not in line
        },
        "journal": {f"{line.file} {line.text}": "is set" for line in record.file_lines("journald")}
        | {
            f"{line.file} {line.text}": "is set"
            for line in record.file_lines("unit-files")
            if not line.text.startswith("Exec")
        },
        "clock": {f"{line.file} {line.text.strip()}": "is set" for line in record.file_lines("clock-config")}
        | {"reference ID": " ".join(record.lines("clock")).partition(",")[0]}
        | {f"/etc/adjtime {line}": "is set" for line in record.lines("adjtime") if line == "LOCAL"},
        "secrets": {one.item: one.says for one in secrets(record)},
        "remotes": {
            f"{line.file} {line.text.partition('=')[0].strip()}": line.text.strip()
            for line in record.file_lines("remotes")
            if line.text.strip()
        },
        "kernel-modules": dict.fromkeys(record.lines("modules"), "loaded"),
        "sysctl": {key: value for key, value in record.sysctl.items() if not _VOLATILE_SYSCTL.fullmatch(key)},
        "packages": dict(record.packages),
        "files": _files(record),
        "sizes": _sizes(record),
        "boot-times": _boot_times(record),
    }


def _command(shown: str) -> str:
    """The command line in `systemctl show`'s words, without times and process numbers."""
    return shown.partition("argv[]=")[2].partition(" ;")[0]


def _boot_menu(record: Record) -> dict[str, str]:
    """GRUB's own files: digests by path, and what grubenv says."""
    found = {
        path: digest
        for path, digest in record.digests.items()
        if path.startswith("/boot/") and not path.endswith("/grubenv") and "/loader" not in path
    }
    return found | {
        f"{line.file} {line.text.partition('=')[0]}": line.text
        for line in record.file_lines("grubenv")
        if not line.text.startswith(("boot_success", "boot_indeterminate", "boot_counter"))
    }


def _unix_listeners(record: Record) -> dict[str, str]:
    """Paths without what differs from one machine to the next, with the programs that listen."""
    found: dict[str, str] = {}
    for one in record.unix_sockets:
        names = {record.cgroups[pid].name for pid in one.pids if pid in record.cgroups}
        if one.path.startswith(("/", "@")):
            found[_NUMBER.sub("N", one.path)] = " ".join(sorted(names))
    return found


def _sizes(record: Record) -> dict[str, str]:
    """Bytes of the commit's files, of directories below /usr and of kernel and initramfs."""
    found: dict[str, int] = {}
    for file in record.committed.values():
        if file.kind == "f":
            for name in ("/usr", "/".join(file.path.split("/")[:3])):
                found[name] = found.get(name, 0) + file.size
            if file.path.endswith(("/vmlinuz", "/initramfs.img")):
                found[file.path] = file.size
    return {name: f"{size} bytes" for name, size in found.items()}


def _boot_times(record: Record) -> dict[str, str]:
    """The phases of the boot by `systemd-analyze time`, in whole seconds."""
    text = " ".join(record.lines("boot-times"))
    found = {}
    for minutes, number, unit, phase in _PHASE.findall(text):
        seconds = float(number) / (1000 if unit == "ms" else 1) + 60 * int(minutes or 0)
        found[phase] = f"{seconds:.0f} s"
    return found


def _volatile(path: str) -> bool:
    return _VOLATILE_FILES.fullmatch(path) is not None


def _group_lock(record: Record, name: str) -> str:
    value = next((row[1] for row in record.fields("gshadow") if row[0] == name and len(row) > 1), "!")
    return "" if value.startswith(("!", "*")) or not value else ", password set"


def _lock(record: Record, name: str) -> str:
    if any(one.name == name and not one.password for one in record.accounts):
        return "EMPTY PASSWORD in passwd"
    value = next((row[1] for row in record.fields("shadow") if row[0] == name and len(row) > 1), None)
    if value is None:
        return "no shadow entry"
    return "locked" if value.startswith(("!", "*")) else "password set" if value else "EMPTY PASSWORD"


def _shipped_key(record: Record, line: Line) -> bool:
    """Return True unless the key is the collector's, the harness's, a host key, or in Ignition's config."""
    ours = next(iter(record.lines("access")), "").rpartition(" ")[2]
    mine = bool(ours) and ours in line.text
    passing = (
        line.file.startswith((f"{record.canary}/", "/etc/ssh/ssh_host_")) or line.file == "/run/ignition.json"
    )
    return not (mine or passing)


def _ways_in(record: Record) -> dict[str, str]:
    """The settings of each sshd for a stranger, and those that it has otherwise for somebody."""
    found: dict[str, str] = {}
    usual = {one.daemon: one.settings for one in reversed(record.policies) if one.user == "nobody"}
    for policy in record.policies:
        for key in _SSHD:
            values = " | ".join(policy.settings.get(key, ()))
            stranger = usual.get(policy.daemon, {})
            if values and (policy.settings is stranger or policy.settings.get(key) != stranger.get(key)):
                found[f"{policy.daemon} {policy.user} from {policy.address}: {key}"] = values
    return found | {
        f"{line.file} {' '.join(line.text.split())}": "" for line in record.file_lines("sshd-matches")
    }


def _open_files(record: Record) -> dict[str, str]:
    """Files that others may read or change, as the rule for modes finds them; also those left out below."""
    found: dict[str, str] = {}
    for one in world_writable(record):
        found[one.item] = "; ".join(filter(None, (found.get(one.item), one.says)))
    return found


def _kernel_arguments(record: Record) -> dict[str, str]:
    """All values of each argument in their order: a later one may undo an earlier one."""
    found: dict[str, list[str]] = {}
    for argument in record.kernel_arguments:
        if not argument.startswith(_VOLATILE_ARGUMENTS):
            found.setdefault(argument.partition("=")[0], []).append(argument)
    return {name: " ".join(given) for name, given in found.items()}


def _mounts(record: Record) -> dict[str, str]:
    found = {}
    for one in record.mounts:
        if not _PASSING_MOUNTS.fullmatch(one.point):
            words = [one.kind, ",".join(sorted(one.options))]
            if one.kind in _TOLD or one.point == "/dev/shm":
                words.append(",".join(sorted(one.of_file_system)))
            if not one.shared:
                words.append("not shared")
            found[one.point] = " ".join(words)
    return found


def _network(record: Record) -> dict[str, str]:
    """The loopback's addresses, and the queues of interfaces."""
    found = {f"loopback {' '.join(line.split()[2:4])}": "is there" for line in record.lines("loopback")}
    return found | {f"queue of {link}": queue for link, queue in queues_of(record)}


def _swap(record: Record) -> Iterator[tuple[str, str]]:
    for line in record.lines("swaps")[1:]:
        path = line.split()[0]
        file = record.all_files.get(path)
        yield path, f"mode {file.mode:o} owner {file.uid}:{file.gid}" if file else "is there"


def _files(record: Record) -> dict[str, str]:
    found = {}
    for file in record.files:
        if _volatile(file.path) or file.kind not in "fldcb":
            continue
        words = [file.kind, f"{file.mode:o}", f"{file.uid}:{file.gid}"]
        if file.path in record.committed:
            original = record.committed[file.path]
            words.append(original.checksum)
            if file.kind == "f" and file.size != original.size:
                words.append(f"{file.size} bytes, not {original.size}")
            elif file.path in record.changed:
                words.append("written since")
        elif file.kind == "f":
            words.append(record.digests.get(file.path, f"{file.size} bytes"))
        if file.target:
            words.append(f"→ {file.target}")
        found[file.path] = " ".join(words)
    return found
