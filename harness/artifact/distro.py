"""The profiles of the distributions under test, with all their differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.errors import ConfigError


@dataclass(frozen=True, order=True)
class Listener:
    """A socket that a booted system may listen on: `tcp`/`udp`, port, and the process that owns it.

    With `loopback` no other machine may reach it.
    """

    protocol: str
    port: int
    process: str
    loopback: bool = False


@dataclass(frozen=True, kw_only=True)
class Installer:
    """The installer of a distribution: program, paths, and the messages by which the live system reports its
    state.
    """

    program: str
    config_dir: str
    iso_dir: str
    units: tuple[str, ...]
    success_message: str
    emergency_message: str


@dataclass(frozen=True, kw_only=True)
class Distro:
    """A distribution profile. Data only: code queries it instead of comparing names.

    `authorized_keys_files` and `_commands` are values that sshd may have, `setuid_programs` and
    `capable_programs` names of programs, `etc_written` patterns of what a first boot writes into /etc.
    `key_types` are signature algorithms that sshd takes, `shared_ids` ids of groups that share one.
    `rpm_differences` are patterns of files that the build changes after their package put them there; one
    such as `M /usr/bin/*` excuses these letters of rpm -V alone. With `live_memory_mib` the live ISO boots.
    `unknown` says which of these fields were never held against a real system, and why; see
    docs/fidelity.md. `family` is the name tests know it by, where that is another; `absent` says why it
    lacks what it lacks of harness.features.FEATURES.
    """

    name: str
    family: str
    title: str
    build_names: tuple[str, ...]
    os_ids: tuple[Mapping[str, str], ...]

    user: str
    user_id: int
    user_gecos: str
    home: str
    admin_groups: tuple[str, ...]

    stateroot: str
    ostree_remote: str
    stream_key: str

    ignition_journal_port: str
    live_success_port: str
    live_success_message: str
    karg_prefix: str
    installer: Installer
    live_memory_mib: int

    default_target: str
    extra_kargs: tuple[str, ...]
    required_listeners: frozenset[Listener]
    allowed_listeners: frozenset[Listener]
    docker_enabled: bool
    sshd_password_dropin: str
    sshd_root_login: frozenset[str]
    authorized_keys_files: frozenset[str]
    authorized_keys_commands: frozenset[str]
    shell_accounts: frozenset[str]
    consoles: tuple[str, ...]
    setuid_programs: frozenset[str]
    capable_programs: frozenset[str]
    key_types: tuple[str, ...]
    shared_ids: frozenset[int] = frozenset()
    etc_written: tuple[str, ...] = ()
    rpm_differences: tuple[str, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def accepts(self, os_release: Mapping[str, str]) -> bool:
        """Return True when these os-release fields match an identity of this distribution."""
        return any(all(os_release.get(k) == v for k, v in identity.items()) for identity in self.os_ids)

    def inst_karg(self, key: str) -> str:
        """Return the full name of an installer kernel argument: `install_dev` → `nestos.inst.install_dev`."""
        return f"{self.karg_prefix}.inst.{key}"

    def live_karg(self, key: str) -> str:
        """Return the full name of a live system's kernel argument: `rootfs_url` →
        `nestos.live.rootfs_url`.
        """
        return f"{self.karg_prefix}.live.{key}"

    @property
    def liveiso_karg(self) -> str:
        return f"{self.karg_prefix}.liveiso"

    @property
    def fromram_karg(self) -> str:
        return f"{self.karg_prefix}.liveiso.fromram"


COMPLETION_PORT = "testisocompletion"
LIVE_TEST_MESSAGE = "live-test-OK"

_CONSOLES = {
    "x86_64": "ttyS0",
    "aarch64": "ttyAMA0",
    "ppc64le": "hvc0",
    "s390x": "ttysclp0",
}

_SSHD = Listener("tcp", 22, "sshd")
_CHRONYD = Listener("udp", 323, "chronyd", loopback=True)

_SETUID = frozenset(
    {
        "at", "chage", "chfn", "chsh", "crontab", "dbus-daemon-launch-helper", "expiry", "fusermount",
        "fusermount3", "gpasswd", "mount", "mount.nfs", "newgidmap", "newgrp", "newuidmap",
        "pam_timestamp_check", "passwd", "pkexec", "polkit-agent-helper-1", "ssh-agent", "ssh-keysign",
        "su", "sudo", "umount", "unix_chkpwd", "userhelper", "utempter", "wall", "write",
    }
)  # fmt: skip
_CAPABLE = frozenset(
    {
        "arping", "clockdiff", "krb5_child", "ldap_child", "newgidmap", "newuidmap", "ping",
        "sssd_pam",
    }
)  # fmt: skip

_RPM_OSTREE_CHANGES = (
    "/usr/lib/os-release",
    "/usr/lib/issue",
    "/usr/lib/issue.net",
    "/usr/lib/locale/*",
    "/usr/lib/modules/*",
    "/usr/lib/sysimage/*",
    "/usr/lib/.build-id/*",
    "/usr/lib/tmpfiles.d/rpm-ostree-*",
    "/usr/libexec/rpm-ostree/*",
    "/usr/share/rpm/*",
    "/usr/share/polkit-1/rules.d",
    "/usr/local",
    "/usr/local/*",
    "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/man/*",
    "/usr/bin/systemd-firstboot",
    "/usr/lib/systemd/system/systemd-firstboot.service",
    "/usr/lib/systemd/system/sysinit.target.wants/systemd-firstboot.service",
    "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
    "/usr/lib/systemd/system/grub*",
    "/usr/lib/ostree-boot/*",
    "M /usr/bin/*", "M /usr/sbin/*", "M /usr/libexec/*",
)  # fmt: skip
"""Files that rpm-ostree's compose rewrites, and that nestos-config's manifests remove or chmod."""
_NESTOS_ETC = (
    r"/etc/issue\.d/.*",
    "/etc/sysconfig/network",
    "/etc/pki/ca-trust/extracted(/.*)?",
    "/etc/nvme/host(nqn|id)",
    "/etc/lvm/devices(/.*)?",
)
"""Files that units of nestos-config's overlay and of openEuler's packages write on a first boot."""
_UNSEEN = {
    "allowed_listeners": "taken from the Go kola's fcos.network.listeners",
    "authorized_keys_commands": "taken from Fedora CoreOS's overlay",
    "authorized_keys_files": "taken from Fedora CoreOS's overlay",
    "capable_programs": "taken from Fedora's packages",
    "consoles": "taken from the guide, for x86_64",
    "etc_written": "taken from the units of nestos-config; no first boot of a real system was looked at",
    "key_types": "taken from openEuler's sshd_config",
    "live_memory_mib": "what the emergency shell of a live system asks for",
    "rpm_differences": "taken from nestos-config's manifests and rpm-ostree's sources",
    "setuid_programs": "taken from Fedora's and Debian's packages",
}

# nestos-config: manifests leave dracut's module `multipath` out.
_NO_MULTIPATH_ROOT = {"multipath-root": "its initramfs has no multipath"}

NESTOS = Distro(
    name="nestos",
    family="nestos",
    title="NestOS",
    build_names=("nestos",),
    os_ids=(
        {"ID": "nestos", "VARIANT_ID": "container"},
        {"ID": "openeuler", "VARIANT_ID": "nestos"},
        {"ID": "openEuler", "VARIANT_ID": "nestos"},
    ),
    user="nest",
    user_id=1000,
    user_gecos="NestOS Admin",
    home="/var/home/nest",
    admin_groups=("adm", "sudo", "systemd-journal", "wheel", "docker"),
    stateroot="nestos",
    ostree_remote="openEuler",
    stream_key="nestos.stream",
    ignition_journal_port="com.nestos.ignition.journal",
    live_success_port="nestos.liveiso-success",
    live_success_message="nestos-liveiso-success",
    karg_prefix="nestos",
    installer=Installer(
        program="nestos-installer",
        config_dir="/etc/nestos/installer.d",
        iso_dir="/nestos",
        units=(
            "nestos-installer.service",
            "nestos-installer-reboot.service",
            "nestos-installer-noreboot.service",
            "nestos-installer.target",
            "nestos-installer-pre.target",
            "nestos-installer-post.target",
        ),
        success_message="nestos-installer-test-OK",
        emergency_message="nestos-installer-test-entered-emergency-target",
    ),
    live_memory_mib=2048,
    default_target="multi-user.target",
    extra_kargs=("mitigations=auto,nosmt",),
    required_listeners=frozenset({_SSHD}),
    allowed_listeners=frozenset({_SSHD, _CHRONYD}),
    docker_enabled=False,
    sshd_password_dropin="/etc/ssh/sshd_config.d/40-disable-passwords.conf",
    sshd_root_login=frozenset({"yes", "prohibit-password", "without-password", "no"}),
    authorized_keys_files=frozenset(
        {".ssh/authorized_keys", ".ssh/authorized_keys .ssh/authorized_keys.d/ignition"}
    ),
    authorized_keys_commands=frozenset({"none", "/usr/libexec/ssh-key-dir %u"}),
    key_types=("ssh-ed25519", "rsa-sha2-256", "rsa-sha2-512"),
    shared_ids=frozenset({986}),
    etc_written=_NESTOS_ETC,
    shell_accounts=frozenset({"root", "nest", "sync", "shutdown", "halt", "operator"}),
    consoles=("tty1", "ttyS0"),
    setuid_programs=_SETUID,
    capable_programs=_CAPABLE,
    rpm_differences=_RPM_OSTREE_CHANGES,
    unknown=_UNSEEN,
    absent=_NO_MULTIPATH_ROOT,
)

REFERENCE = replace(
    NESTOS,
    name="nestos-reference",
    live_memory_mib=256,
    key_types=("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"),
    shared_ids=frozenset(),
    etc_written=(),
    unknown={},
    # Its database, made from dpkg's, knows no owners; ssh.service is the overlay's, tree has no sum.
    rpm_differences=(
        "/usr/lib/os-release",
        "/usr/lib/systemd/system/ssh.service",
        "5 /usr/bin/tree",
        "GU /usr/*",
    ),
    sshd_root_login=frozenset({"without-password", "prohibit-password", "no"}),
    authorized_keys_commands=frozenset({"none"}),
    consoles=("ttyS0",),
    absent=_NO_MULTIPATH_ROOT
    | {
        "boot-mirror": "its initramfs takes mdadm from the root disk",
        "network-kargs": "its initramfs does not read ip=",
        "selinux": "it has no SELinux policy",
    },
)
"""The reference OS: NestOS, except for what Debian's packages cannot provide."""
REFERENCE_STREAM = "reference"

FCOS = Distro(
    name="fcos",
    family="fcos",
    title="Fedora CoreOS",
    build_names=("fedora-coreos",),
    os_ids=({"ID": "fedora", "VARIANT_ID": "coreos"},),
    user="core",
    user_id=1000,
    user_gecos="CoreOS Admin",
    home="/var/home/core",
    admin_groups=("adm", "sudo", "systemd-journal", "wheel"),
    stateroot="fedora-coreos",
    ostree_remote="fedora",
    stream_key="fedora-coreos.stream",
    ignition_journal_port="com.coreos.ignition.journal",
    live_success_port="coreos.liveiso-success",
    live_success_message="coreos-liveiso-success",
    karg_prefix="coreos",
    installer=Installer(
        program="coreos-installer",
        config_dir="/etc/coreos/installer.d",
        iso_dir="/coreos",
        units=(
            "coreos-installer.service",
            "coreos-installer-reboot.service",
            "coreos-installer-noreboot.service",
            "coreos-installer.target",
            "coreos-installer-pre.target",
            "coreos-installer-post.target",
        ),
        success_message="coreos-installer-test-OK",
        emergency_message="coreos-installer-test-entered-emergency-target",
    ),
    live_memory_mib=2048,
    default_target="multi-user.target",
    extra_kargs=("mitigations=auto,nosmt",),
    required_listeners=frozenset({_SSHD}),
    allowed_listeners=frozenset(
        {
            _SSHD,
            _CHRONYD,
            Listener("tcp", 53, "systemd-resolve"),
            Listener("udp", 53, "systemd-resolve"),
            Listener("tcp", 5355, "systemd-resolve"),
            Listener("udp", 5355, "systemd-resolve"),
            Listener("udp", 546, "NetworkManager"),
        }
    ),
    docker_enabled=False,
    sshd_password_dropin="/etc/ssh/sshd_config.d/40-disable-passwords.conf",
    sshd_root_login=frozenset({"prohibit-password", "without-password", "no"}),
    authorized_keys_files=frozenset(
        {".ssh/authorized_keys", ".ssh/authorized_keys .ssh/authorized_keys.d/ignition"}
    ),
    authorized_keys_commands=frozenset({"none", "/usr/libexec/ssh-key-dir %u"}),
    key_types=("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-256", "rsa-sha2-512"),
    shell_accounts=frozenset({"root", "core", "sync", "shutdown", "halt", "operator"}),
    consoles=("tty1", "ttyS0"),
    setuid_programs=_SETUID,
    capable_programs=_CAPABLE,
    rpm_differences=_RPM_OSTREE_CHANGES,
    unknown=_UNSEEN,
)

DISTROS = (NESTOS, FCOS, REFERENCE)


def distro_named(name: str) -> Distro:
    """Return the profile called `name`. Raises ConfigError that lists the known ones."""
    for distro in DISTROS:
        if distro.name == name:
            return distro
    known = ", ".join(distro.name for distro in DISTROS)
    raise ConfigError(f"unknown distro {name!r}", hint=f"known distros: {known}")


def distro_of_build(build_name: str, stream: str | None = None) -> Distro | None:
    """Return the profile whose builds have this `name` in meta.json (`nestos`, `NestOS-For-Container`), or
    None.

    `stream` identifies the reference OS, whose builds are named like those of NestOS.
    """
    lowered = build_name.lower()
    for distro in DISTROS:
        if lowered.startswith(distro.build_names):
            return REFERENCE if distro is NESTOS and stream == REFERENCE_STREAM else distro
    return None


def console_device(arch: str) -> str:
    """Return the serial console's tty on `arch`. Raises ConfigError for an unknown architecture."""
    try:
        return _CONSOLES[arch]
    except KeyError:
        raise ConfigError(
            f"unknown architecture {arch!r}", hint=f"known architectures: {', '.join(_CONSOLES)}"
        ) from None
