"""The distributions we test, and everything in which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.errors import ConfigError


@dataclass(frozen=True, order=True)
class Listener:
    """One socket a booted system may listen on: `tcp`/`udp`, port, and the process that owns it."""

    protocol: str
    port: int
    process: str


@dataclass(frozen=True, kw_only=True)
class Installer:
    """The installer of a distribution: program, paths, and what the live system says when it is up."""

    program: str
    config_dir: str
    iso_dir: str
    units: tuple[str, ...]
    success_message: str
    emergency_message: str


@dataclass(frozen=True, kw_only=True)
class Distro:
    """A distribution profile. Data only; code asks it instead of comparing names.

    `family` is the name tests know it by, where that is another; `absent` says why it lacks what it
    lacks of harness.features.FEATURES.
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
    bls_glob: str
    boot_dir: str
    aleph_path: str
    grub_vendor_dir: str
    ostree_remote: str
    stream_key: str

    ignition_journal_port: str
    live_success_port: str
    live_success_message: str
    karg_prefix: str
    installer: Installer

    default_target: str
    extra_kargs: tuple[str, ...]
    required_listeners: frozenset[Listener]
    allowed_listeners: frozenset[Listener]
    docker_enabled: bool
    sshd_password_dropin: str
    absent: Mapping[str, str] = field(default_factory=dict)

    def accepts(self, os_release: Mapping[str, str]) -> bool:
        """Whether these os-release fields are one of the identities this distribution goes by."""
        return any(all(os_release.get(k) == v for k, v in identity.items()) for identity in self.os_ids)

    def inst_karg(self, key: str) -> str:
        """The full name of an installer kernel argument: `install_dev` → `nestos.inst.install_dev`."""
        return f"{self.karg_prefix}.inst.{key}"

    def live_karg(self, key: str) -> str:
        """The full name of a live system's kernel argument: `rootfs_url` → `nestos.live.rootfs_url`."""
        return f"{self.karg_prefix}.live.{key}"

    @property
    def liveiso_karg(self) -> str:
        return f"{self.karg_prefix}.liveiso"

    @property
    def fromram_karg(self) -> str:
        return f"{self.karg_prefix}.liveiso.fromram"


COMPLETION_PORT = "testisocompletion"
BOOT_STARTED_PORT = "bootstarted"
BOOT_STARTED_MESSAGE = "boot-started-OK"
LIVE_TEST_MESSAGE = "live-test-OK"
IGNITION_FW_CFG = "opt/com.coreos/config"

_CONSOLES = {
    "x86_64": "ttyS0",
    "aarch64": "ttyAMA0",
    "ppc64le": "hvc0",
    "s390x": "ttysclp0",
}

_SSHD = Listener("tcp", 22, "sshd")
_CHRONYD = Listener("udp", 323, "chronyd")

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
    bls_glob="/boot/loader/entries/ostree-*-nestos.conf",
    boot_dir="/boot/nestos",
    aleph_path="/sysroot/.nestos-aleph-version.json",
    grub_vendor_dir="EFI/openEuler",
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
    default_target="multi-user.target",
    extra_kargs=("mitigations=auto,nosmt",),
    required_listeners=frozenset({_SSHD}),
    allowed_listeners=frozenset({_SSHD, _CHRONYD}),
    docker_enabled=False,
    sshd_password_dropin="/etc/ssh/sshd_config.d/40-disable-passwords.conf",
)

REFERENCE = replace(
    NESTOS,
    name="nestos-reference",
    absent={
        "boot-mirror": "its initramfs takes mdadm from the root disk",
        "network-kargs": "its initramfs does not read ip=",
        "selinux": "it has no SELinux policy",
    },
)
"""The reference OS: NestOS, but for what Debian's packages cannot give."""
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
    bls_glob="/boot/loader/entries/ostree-*.conf",
    boot_dir="/boot/coreos",
    aleph_path="/sysroot/.coreos-aleph-version.json",
    grub_vendor_dir="EFI/fedora",
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
)

DISTROS = (NESTOS, FCOS, REFERENCE)


def distro_named(name: str) -> Distro:
    """The profile called `name`; ConfigError listing the known ones."""
    for distro in DISTROS:
        if distro.name == name:
            return distro
    known = ", ".join(distro.name for distro in DISTROS)
    raise ConfigError(f"unknown distro {name!r}", hint=f"known distros: {known}")


def distro_of_build(build_name: str, stream: str | None = None) -> Distro | None:
    """The profile whose builds carry this `name` in meta.json (`nestos`, `NestOS-For-Container`), if any.

    `stream` tells the reference OS, which is NestOS by its name.
    """
    lowered = build_name.lower()
    for distro in DISTROS:
        if lowered.startswith(distro.build_names):
            return REFERENCE if distro is NESTOS and stream == REFERENCE_STREAM else distro
    return None


def console_device(arch: str) -> str:
    """The serial console's tty on `arch`; ConfigError for an architecture we do not know."""
    try:
        return _CONSOLES[arch]
    except KeyError:
        raise ConfigError(
            f"unknown architecture {arch!r}", hint=f"known architectures: {', '.join(_CONSOLES)}"
        ) from None
