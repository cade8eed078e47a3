"""Rules for boot and kernel: arguments, boot entries, mounts, kernel settings, the journal's settings."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence

from harness.artifact import Distro
from testsuites.audit.finding import Finding
from testsuites.audit.items import BootEntry, Mount
from testsuites.audit.record import Record, settings_of

_DANGEROUS = (
    "init=*", "rdinit=*", "rd.break*", "single", "s", "S", "1", "emergency", "rescue", "-b",
    "systemd.unit=*", "systemd.debug[-_]shell*", "systemd.mask=*", "systemd.wants=*", "systemd.run=*",
    "systemd.set_credential*", "SYSTEMD_SULOGIN_FORCE*", "rd.systemd.*shell*",
    "selinux=0", "enforcing=0", "audit=0", "nokaslr", "mitigations=off", "nosmap", "nosmep",
    "nopti", "pti=off",
    "audit=off", "kpti=off", "nospectre_v[12]", "l1tf=off", "mds=off", "retbleed=off",
    "spec_store_bypass*=off",
    "iomem=relaxed", "kgdboc*", "systemd.volatile=*", "systemd.setenv=*", "systemd.journald.*",
    "systemd.log_target=null", "systemd.getty_auto=*", "systemd.default_standard_*",
    "spectre_v2=off", "module.sig_enforce=0", "lockdown=none", "systemd.gpt_auto=*", "nomodules",
)  # fmt: skip
_AT_FIRST_BOOT = ("ignition.firstboot", "$ignition_firstboot", "BOOT_IMAGE=", "rd.neednet=", "ip=")
_GRUB_STATE = ("boot_success", "boot_indeterminate", "boot_counter", "menu_auto_hide", "ignition_firstboot")
_DEPLOYED = re.compile(r"[* ] \S+ ([0-9a-f]{64}\.\d+)")
_TITLE = re.compile(r"\(ostree:(\d+)\b")
_MOUNTS = (
    "/", "/boot", "/boot/efi", "/etc", "/usr", "/var", "/sysroot", "/sysroot/ostree/deploy/*/var", "/tmp",
    "/proc", "/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd", "/sys", "/sys/*", "/dev", "/dev/*", "/run",
    "/run/*",
    "/var/lib/nfs/rpc_pipefs", "/var/lib/containers/*",
)  # fmt: skip
_KERNEL = {
    "net.ipv4.ip_forward": ("0",),
    "net.ipv4.conf.all.forwarding": ("0",),
    "net.ipv4.conf.default.forwarding": ("0",),
    "net.ipv6.conf.all.forwarding": ("0",),
    "net.ipv6.conf.default.forwarding": ("0",),
    "fs.protected_hardlinks": ("1",),
    "fs.protected_symlinks": ("1",),
    "fs.protected_fifos": ("1", "2"),
    "fs.protected_regular": ("1", "2"),
    "fs.suid_dumpable": ("0", "2"),
    "net.ipv4.conf.all.accept_source_route": ("0",),
    "net.ipv6.conf.all.accept_source_route": ("0", "-1"),
    "net.ipv4.conf.all.proxy_arp": ("0",),
    "net.ipv4.conf.all.route_localnet": ("0",),
    "net.ipv4.icmp_echo_ignore_broadcasts": ("1",),
    "net.ipv4.icmp_ignore_bogus_error_responses": ("1",),
    "net.ipv4.tcp_syncookies": ("1", "2"),
    "net.ipv4.ip_unprivileged_port_start": ("1024",),
    "kernel.modules_disabled": ("0",),
    "kernel.printk_ratelimit": ("5",),
    "kernel.core_uses_pid": ("0", "1"),
    "kernel.unprivileged_bpf_disabled": ("1", "2"),
    "kernel.perf_event_paranoid": ("1", "2", "3", "4"),
    "kernel.sysrq": ("0", "16", "176", "438"),
    "kernel.ctrl-alt-del": ("0",),
    "kernel.modprobe": ("/sbin/modprobe", "/usr/sbin/modprobe"),
    "kernel.hotplug": ("",),
    "vm.mmap_min_addr": ("4096", "65536", "32768"),
    "vm.overcommit_memory": ("0",),
    "vm.panic_on_oom": ("0",),
    "kernel.panic_on_oops": ("0", "1"),
    "dev.tty.ldisc_autoload": ("0", "1"),
    "net.ipv4.ip_local_port_range": ("32768 60999",),
    "net.ipv6.conf.all.disable_ipv6": ("0",),
    "net.ipv6.conf.default.disable_ipv6": ("0",),
    "net.core.somaxconn": ("4096", "128"),
}
_LOSING = ("nobarrier", "barrier=0", "data=writeback", "norecovery", "noload", "noacl", "nouser_xattr")
_FOREIGN_CODE = 1 | 2 | 8 | 1024 | 4096 | 8192
"""Taints by modules: proprietary, forced in or out, staging, out of tree, unsigned (tainted-kernels.rst)."""
_NO_SETUID = {"nosuid", "nodev"}
_HARMFUL = {
    "/proc": ("hidepid=*", "subset=*"),
    "/dev/shm": ("size=*", "nr_inodes=*", "nr_blocks=*"),
    "/": _LOSING,
    "/boot": _LOSING,
    "/var": _LOSING,
}
"""Options of the file system that hide what users may see, lose what was written, or leave no room."""
_MEMORY = ("/run", "/tmp")
_SIZE = re.compile(r"size=(\d+)k")
_MEMORY_KIB = 64 * 1024
"""Room that systemd gives these on a machine of 512 MiB, in KiB, with some to spare."""
_HARMLESS = {"hidepid=0", "hidepid=off"}
_UNSHARED = ("/sysroot", "/sysroot/*", "/run/*", "/proc/*", "/sys/*", "/boot/efi")
"""Mounts that ostree or their own service keep to themselves, and those that appear on demand."""
_OPTIONS = {
    "/proc": _NO_SETUID | {"noexec"},
    "/sys": _NO_SETUID | {"noexec"},
    "/run": _NO_SETUID,
    "/tmp": _NO_SETUID,
    "/boot": _NO_SETUID,
    "/dev": {"nosuid"},
    "/dev/shm": _NO_SETUID,
}
"""Options systemd mounts these with (mount-setup.c, tmp.mount)."""
"""Settings and values they may have on any system that nobody has configured."""


def undone_arguments(arguments: Sequence[str], where: str, distro: Distro) -> list[Finding]:
    """Return arguments of the build that are missing or overridden by a later one, and arguments that no
    build has.
    """
    found = []
    for wanted in distro.extra_kargs:
        key = wanted.partition("=")[0]
        given = [one for one in arguments if one.partition("=")[0] == key]
        if wanted not in given:
            found.append(Finding("the build's kernel arguments are given", where, f"it lacks {wanted}"))
        elif given[-1] != wanted:
            says = f"{given[-1]} comes after {wanted} and undoes it"
            found.append(Finding("the build's kernel arguments are given", where, says))
    for argument in arguments:
        if argument not in distro.extra_kargs and any(fnmatch.fnmatchcase(argument, p) for p in _DANGEROUS):
            found.append(Finding("no kernel argument opens the system", where, f"it has {argument}"))
    return found


def command_line(record: Record, distro: Distro) -> list[Finding]:
    """Return findings on the running kernel's command line."""
    return undone_arguments(record.kernel_arguments, "/proc/cmdline", distro)


def boot_entries(record: Record, distro: Distro, *, expected: int | None = None) -> list[Finding]:
    """Every boot entry: its arguments, kernel and deployment, its title and its place in the menu."""
    return list(_entries(record, distro, expected))


def _entries(record: Record, distro: Distro, expected: int | None) -> Iterator[Finding]:
    rule = "every boot entry boots a deployment"
    links = dict(line.split(" ", 1) for line in record.lines("bootlinks") if " " in line)
    files = record.all_files
    deployments = sum(
        1 for line in record.lines("ostree-status") if re.match(r"[* ] \S+ [0-9a-f]{64}\.", line)
    )
    if len(record.entries) != (expected or deployments or 1):
        says = f"has {len(record.entries)} entries, and deployments are {expected or deployments}"
        if "/boot" not in {mount.point for mount in record.mounts}:
            says += "; /boot is not mounted"
        yield Finding(rule, "/boot/loader/entries", says)
    if not record.entries:
        return
    running = _steady(record.kernel_arguments)
    versions: list[str] = []
    for entry in record.entries:
        name = entry.file.rpartition("/")[2]
        yield from undone_arguments(entry.options, name, distro)
        own = _steady(entry.options)
        if own != running:
            differing = sorted(set(own) ^ set(running)) or ["their order"]
            yield Finding("all entries have the same arguments", name, f"it differs in {' '.join(differing)}")
        link = next((one for one in entry.options if one.startswith("ostree=")), "").removeprefix("ostree=")
        if "/deploy/" not in links.get(link, ""):
            yield Finding(rule, name, f"ostree={link} leads to no deployment")
        booted = bool(link) and f"ostree={link}" in record.kernel_arguments
        for key in ("linux", "initrd"):
            path = entry.fields.get(key, "")
            file = files.get(f"/boot{path}") or files.get(path)
            if not path or file is None:
                yield Finding(rule, name, f"its {key} {path or '(none)'} does not exist")
            elif key in foreign_files(record, entry):
                says = f"its {key} is not the one of the commit that it boots"
                if booted and file.size not in (sizes := _sizes(record, key)):
                    says += f": it has {file.size} bytes, not {' or '.join(map(str, sizes))}"
                yield Finding("kernel and initramfs are the commit's", name, says)
        if distro.title not in entry.fields.get("title", ""):
            yield Finding("entries say what they boot", name, f"its title is {entry.fields.get('title')!r}")
        versions.append(entry.fields.get("version", ""))
    if len(set(versions)) != len(versions):
        yield Finding("entries are in order", "/boot/loader/entries", f"two have version {max(versions)}")
    yield from _order(record, links)
    for line in record.file_lines("grubenv"):
        if not line.text.startswith(_GRUB_STATE):
            yield Finding("the boot menu is the build's", line.file, f"says {line.text[:60]}")
    for path in files:
        if path.startswith("/boot/grub") and path.endswith(("/custom.cfg", "/user.cfg")):
            yield Finding("the boot menu is the build's", path, "is read by GRUB, and no build has it")


def foreign_files(record: Record, entry: BootEntry) -> list[str]:
    """Return those of `linux` and `initrd` that are no files of the deployment which the entry boots."""
    return [key for key in ("linux", "initrd") if f"{entry.file} {key}" not in record.lines("boot-files")]


def _sizes(record: Record, key: str) -> list[int]:
    """The sizes of the kernels, or of the initramfs, that the booted deployment has."""
    pattern = {"linux": "/usr/lib/modules/*/vmlinuz", "initrd": "/usr/lib/modules/*/initramfs*"}[key]
    found = (file for path, file in record.all_files.items() if fnmatch.fnmatchcase(path, pattern))
    return sorted({file.size for file in found})


def _order(record: Record, links: dict[str, str]) -> Iterator[Finding]:
    """The menu, newest entry first, names the deployments in ostree's order."""
    rows = [match.group(1) for line in record.lines("ostree-status") if (match := _DEPLOYED.match(line))]
    menu = sorted(record.entries, key=lambda one: _number(one.fields.get("version", "")), reverse=True)
    for place, (entry, deployed) in enumerate(zip(menu, rows, strict=False)):
        name = entry.file.rpartition("/")[2]
        link = next((one for one in entry.options if one.startswith("ostree=")), "").removeprefix("ostree=")
        leads = links.get(link, "").rpartition("/")[2]
        if leads and leads != deployed:
            says = f"boots {leads[:12]}, and place {place} in the menu is {deployed[:12]}'s"
            yield Finding("entries are in order", name, says)
        title = _TITLE.search(entry.fields.get("title", ""))
        if title and int(title.group(1)) != place:
            says = f"its title {entry.fields['title']!r} is at place {place}"
            yield Finding("entries are in order", name, says)


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0


def _steady(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that all boots of all deployments share."""
    return [one for one in arguments if not one.startswith((*_AT_FIRST_BOOT, "ostree="))]


def mounts(record: Record) -> list[Finding]:
    """Return findings on mounts: read-only ones must be so, /var be on disk, and nothing cover a part of the
    system.
    """
    return list(_mounts({mount.point: mount for mount in record.mounts}))


def _mounts(mounts: dict[str, Mount]) -> Iterator[Finding]:
    for point in ("/usr", "/sysroot", "/boot"):
        mount = mounts.get(point)
        if mount is None:
            yield Finding("the system is read-only", point, "is not mounted")
        elif "ro" not in mount.options:
            yield Finding("the system is read-only", point, "is mounted read-write")
    var = mounts.get("/var")
    if var is None or not var.source.startswith("/dev/") or var.kind in ("tmpfs", "overlay", "ramfs"):
        yield Finding("/var is kept", "/var", f"is {var.kind if var else 'not mounted'}, not on a disk")
    elif "rw" not in var.options:
        yield Finding("/var is kept", "/var", "cannot be written")
    for point, mount in mounts.items():
        if not any(fnmatch.fnmatchcase(point, pattern) for pattern in _MOUNTS):
            says = f"is covered by a mount of {mount.kind} ({mount.source} {mount.root})"
            yield Finding("nothing covers the system", point, says)
        if lacking := sorted(_OPTIONS.get(point, set()) - mount.options):
            yield Finding("mounts have their options", point, f"lacks {', '.join(lacking)}")
        for option in sorted(mount.of_file_system - _HARMLESS):
            if any(fnmatch.fnmatchcase(option, pattern) for pattern in _HARMFUL.get(point, ())):
                says = f"the file system has {option}"
                yield Finding("mounts have no harmful options", point, says)
        for option in mount.of_file_system if point in _MEMORY else ():
            size = _SIZE.fullmatch(option)
            if size and int(size.group(1)) < _MEMORY_KIB:
                says = f"has room for {int(size.group(1)) // 1024} MiB"
                yield Finding("mounts have no harmful options", point, says)
        if not mount.shared and not any(fnmatch.fnmatchcase(point, pattern) for pattern in _UNSHARED):
            says = "is not shared: what is mounted below it reaches no container"
            yield Finding("mounts are shared", point, says)
        if point in ("/usr", "/etc") and mount.kind == "overlay":
            yield Finding("nothing covers the system", point, "is an overlay")


def _sysctl_order(file: str) -> tuple[str, bool]:
    """By name, as systemd-sysctl reads them; /etc/sysctl.conf is 99-sysctl.conf, and /etc hides /usr/lib."""
    name = file.rpartition("/")[2]
    return ("99-sysctl.conf" if name == "sysctl.conf" else name, file.startswith("/etc/"))


_BUILDS = {"RateLimitBurst", "RateLimitIntervalSec", "SystemMaxUse", "RuntimeMaxUse"}
"""Settings that a build may choose; a machine may not have others."""
_SILENT = ("LogLevelMax=", "LogFilterPatterns=", "LogNamespace=", "StandardOutput=null", "StandardError=null")


def kernel_settings(record: Record) -> list[Finding]:
    """Return findings on sysctls: the build's sysctl.d must be in force, and no other setting weakened.

    The same for disks: what a disk holds back must be flushed.
    """
    found = list(_unflushed(record))
    wanted: dict[str, tuple[str, str]] = {}
    for line in sorted(record.file_lines("sysctl-config"), key=lambda line: _sysctl_order(line.file)):
        key, separator, value = line.text.strip().lstrip("-").partition("=")
        key = key.strip().replace("/", ".")
        if record.shipped(line.file) and separator and not set(key) & set("*?["):
            wanted[key] = (" ".join(value.split()), line.file)
    for key, (value, file) in wanted.items():
        actual = " ".join(record.sysctl.get(key, value).split())
        if actual != value:
            found.append(Finding("sysctls are the build's", key, f"is {actual}, not {value} as {file} says"))
    for line in record.file_lines("sysctl-config"):
        if not record.shipped(line.file):
            says = f"says {' '.join(line.text.split())[:80]}"
            found.append(Finding("sysctls are the build's", line.file, says))
    for key, allowed in _KERNEL.items():
        stands = " ".join(record.sysctl.get(key, "").split())
        if key not in wanted and stands and stands not in allowed:
            found.append(Finding("no sysctl is weakened", key, f"is {stands}"))
    if record.sysctl.get("user.max_user_namespaces") == "0" and "user.max_user_namespaces" not in wanted:
        says = "is 0: users have no containers"
        found.append(Finding("no sysctl is weakened", "user.max_user_namespaces", says))
    layout = record.sysctl.get("kernel.randomize_va_space", "2")
    if layout != "2" and "norandmaps" not in record.kernel_arguments:
        found.append(Finding("no sysctl is weakened", "kernel.randomize_va_space", f"is {layout}"))
    taint = record.sysctl.get("kernel.tainted", "0")
    if taint.isdigit() and int(taint) & _FOREIGN_CODE:
        found.append(Finding("the kernel runs its own code", "kernel.tainted", f"is {taint}"))
    pattern = record.sysctl.get("kernel.core_pattern", "")
    if "systemd-coredump" not in pattern:
        found.append(Finding("crashes are kept", "kernel.core_pattern", f"is {pattern!r}"))
    return found


def _unflushed(record: Record) -> Iterator[Finding]:
    """Disks with a cache of their own to which the kernel sends no flush (Linux:
    Documentation/ABI/stable/sysfs-block).
    """
    said = {line.file: line.text for line in record.file_lines("disk-caches")}
    for file, text in said.items():
        disk, separator, _ = file.partition("/queue/write_cache")
        if separator and text == "write through" and said.get(f"{disk}/cache_type") == "write back":
            says = "is 'write through', and the disk has a cache: what was synced may be lost"
            yield Finding("disks are flushed", file, says)


def journal_settings(record: Record) -> list[Finding]:
    """Return every setting that makes the journal drop messages or forget boots."""
    values = {key: (value, file) for file, key, value in settings_of(record.file_lines("journald"))}
    found = []
    for key, good in (
        ("Storage", {"persistent", "auto"}),
        ("MaxLevelStore", {"debug", "7", ""}),
        ("SystemMaxFiles", {"", "100"}),
        ("MaxRetentionSec", {"", "0"}),
        ("Seal", {"", "yes"}),
        ("ReadKMsg", {"", "yes", "true", "1", "on"}),
        ("RateLimitBurst", {"", "10000"}),
        ("RateLimitIntervalSec", {"", "30s"}),
        ("SystemMaxUse", {""}),
        ("RuntimeMaxUse", {""}),
    ):
        value, file = values.get(key, (min(good), ""))
        if value not in good and not (key in _BUILDS and record.shipped(file)):
            found.append(Finding("the journal keeps everything", key, f"is {value} ({file})"))
    for line in record.file_lines("unit-files"):
        if line.text.startswith(_SILENT) and not line.file.startswith("/usr/lib/"):
            found.append(Finding("the journal keeps everything", line.file, f"says {line.text}"))
    return found
