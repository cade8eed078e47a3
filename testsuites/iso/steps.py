"""The steps of a scenario of the table: its medium, its configs, its final checks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from harness.artifact.distro import COMPLETION_PORT, LIVE_TEST_MESSAGE
from harness.ignition import IgnitionConfig
from harness.ignition.additions import GuestFile, dropin, kola_files, unit
from harness.installer import minimal
from harness.installer.follow import Follower
from harness.installer.isoimage import Embedded, IsoImage
from harness.installer.pxe import Components, network_boot
from harness.installer.signs import LIVE_ONLY, ORDER, Stage
from harness.installer.stages import LIMITS
from harness.machine.boot import EmptyDisk, Medium
from harness.services.http import HttpServer
from testsuites.iso import configs
from testsuites.iso.lab import TARGET, TARGET_GIB, Lab, reach_installed
from testsuites.iso.scenario import Boot, Scenario, Source

KEYFILE_NAME = "kola-dhcp.nmconnection"
KEYFILE = """[connection]
id=nestos DHCP
type=ethernet
[ethernet]
wait-device-timeout=60000
[ipv4]
method=auto
[ipv6]
method=auto
"""
_IMAGE = "metal.raw"
MULTIPATH_ROOT = "multipath-root"
_MULTIPATH = "/dev/mapper/mpatha"
_MULTIPATH_KARGS = ("rd.multipath=default", "root=/dev/disk/by-label/dm-mpath-root", "rw")
_MARK = "kola.installed=1"
"""A kernel argument that the installer is told to append."""


@dataclass(frozen=True)
class Run:
    """The run of a scenario in a lab."""

    scenario: Scenario
    lab: Lab

    def run(self) -> None:
        scenario = self.scenario
        plan = ORDER if scenario.installs else LIVE_ONLY
        follower = self.start(plan)
        if scenario.multipath and MULTIPATH_ROOT in self.lab.distro.absent:
            self._kernel_started(follower)
        elif scenario.installs:
            self._installed(follower)
        else:
            self._live(follower)
        print(f"stages: {follower.tracker.describe()}")

    def start(self, plan: Sequence[Stage]) -> Follower:
        """Switch on the machine of the scenario."""
        scenario = self.scenario
        medium = self._medium()
        options: dict[str, Any] = {}
        if scenario.installs and scenario.multipath:
            options["primary_disk"] = "mpath"
        elif scenario.installs and scenario.sectors == "4k":
            options["primary_disk"] = "4k"
        disk = EmptyDisk(TARGET_GIB) if scenario.installs else None
        return self.lab.start(
            medium,
            plan=plan,
            disk=disk,
            firmware=str(scenario.boot_firmware),
            network=scenario.network,
            **options,
        )

    def _live(self, follower: Follower) -> None:
        """Check the live system: it greets and logs in automatically only without a config."""
        follower.wait(Stage.CHECKS)
        machine, distro = follower.machine, self.lab.distro
        if self.scenario.config:
            machine.channel(COMPLETION_PORT).expect(f"^{LIVE_TEST_MESSAGE}$", timeout=120)
            # A getty that logs in by itself says so behind its prompt, at once.
            prompt = machine.console.expect(r"login: (\w+ \(automatic login\))?", timeout=120)
            machine.console.wait_output(2)
            assert not prompt[1] and "automatic login" not in machine.console.text(), (
                "a live system with a config of its own logs in by itself"
            )
            return
        machine.channel(distro.live_success_port).expect(distro.live_success_message, timeout=120)
        machine.console.expect("live environment", timeout=30)
        machine.console.expect(rf"{distro.user}@\S+[^\n]*\$", timeout=30)

    def _installed(self, follower: Follower) -> None:
        """Wait until the machine has rebooted into the installed system, whose own checks have passed."""
        machine = reach_installed(follower)
        said = [line for line in machine.channel(COMPLETION_PORT).lines if line.strip()]
        expected = [LIVE_TEST_MESSAGE, self.lab.distro.installer.success_message]
        assert said == expected, f"the guest said {said}"
        if self.scenario.network:
            fetched = bool(self._http.requests_for(_IMAGE))
            assert fetched == (self.scenario.source is Source.IMAGE_URL), "the image came from elsewhere"
            machine.wait_reachable()
            machine.check_health()

    def _kernel_started(self, follower: Follower) -> None:
        """Wait until the kernel was started from the installed disk, which is all that can be had here."""
        follower.wait(Stage.INSTALLED_UP)
        limit = LIMITS[Stage.BOOT_MENU] + LIMITS[Stage.KERNEL]
        multipath, *others = _MULTIPATH_KARGS
        shown = rf"Command line: ([^\r\n]*{re.escape(multipath)}[^\r\n]*)"
        command_line = follower.machine.console.expect(shown, timeout=limit)[1]
        for argument in (*others, _MARK):
            assert argument in command_line.split(), f"the installed system boots with {command_line}"
        pytest.xfail(f"{self.lab.distro.absent[MULTIPATH_ROOT]}: installed, and its kernel started")

    # Configs

    @cached_property
    def _target_config(self) -> bytes:
        checks = [f"grep -qw {_MARK} /proc/cmdline", f"grep -q {self.lab.console} /proc/cmdline"]
        if self.scenario.keyfile:
            checks.append(f"test -e /etc/NetworkManager/system-connections/{KEYFILE_NAME}")
        return configs.merged(
            [
                self.lab.way_in,
                configs.installed_signal(self.lab.distro, checks),
                configs.emergency_signal(self.lab.distro.installer.emergency_message),
            ]
        )

    def _live_config(self, *more: IgnitionConfig) -> bytes:
        checks = []
        if self.scenario.fromram:
            checks.append("! mountpoint -q /run/media/iso")
        if self.scenario.keyfile:
            checks.append(f"test -e /etc/NetworkManager/system-connections/{KEYFILE_NAME}")
        parts = [
            self.lab.way_in,
            configs.live_signal(self.lab.distro, checks),
            configs.emergency_signal("nestos-test-entered-emergency-target"),
            *more,
        ]
        if self.scenario.multipath:
            parts.append(_multipath(self.lab))
        return configs.merged(parts)

    def _installation(self) -> IgnitionConfig:
        """The config file by which the live ISO installs."""
        scenario, distro = self.scenario, self.lab.distro
        append = [_MARK, *(_MULTIPATH_KARGS if scenario.multipath else ())]
        online = scenario.source is Source.IMAGE_URL
        target = "/var/opt/target.ign"
        options = configs.installer_options(
            dest_device=_MULTIPATH if scenario.multipath else TARGET,
            ignition_file=target,
            console=[self.lab.console_name],
            append_karg=append,
            copy_network=True if scenario.keyfile else None,
            image_url=self._image_url if online else None,
            insecure=True if online and self._unsigned else None,
        )
        return configs.installer_file(distro, "mantle.yaml", options).merge(
            kola_files([GuestFile(path=target, content=self._target_config, mode=0o600)])
        )

    # Media

    @cached_property
    def _http(self) -> HttpServer:
        return self.lab.services.http()

    @property
    def _image_url(self) -> str:
        return self._http.put(_IMAGE, self.lab.artifact(self.scenario.metal))

    @cached_property
    def _unsigned(self) -> bool:
        """Return True when there is no signature beside the image, as for local builds; else serve the
        signature.
        """
        image = self.lab.artifact(self.scenario.metal)
        signature = image.with_name(f"{image.name}.sig")
        if self.lab.media.insecure or not signature.is_file():
            return True
        self._http.put(f"{_IMAGE}.sig", signature)
        return False

    def _medium(self) -> Medium:
        scenario = self.scenario
        if scenario.network:
            _ = self._http  # The server must exist before the machine.
        if scenario.boot is Boot.PXE:
            return self._pxe()
        config: bytes | None = None
        if scenario.config:
            config = self._live_config(*([self._installation()] if scenario.installs else []))
        kargs = self.lab.on_console(
            *((self.lab.distro.fromram_karg,) if scenario.fromram else ()),
            *(("rd.neednet=1",) if scenario.keyfile else ()),
        )
        keyfiles = {KEYFILE_NAME: KEYFILE} if scenario.keyfile else {}
        embedded = Embedded(config, keyfiles, kargs)
        iso = self._minimal() if scenario.boot is Boot.MINISO else self.lab.iso()
        return iso.medium(embedded, as_disk=scenario.boot is Boot.AS_DISK)

    def _minimal(self) -> IsoImage:
        full, distro = self.lab.iso(), self.lab.distro
        rootfs = full.extract_pxe(self.lab.directory)["rootfs.img"]
        url = self._http.put("rootfs.img", rootfs)
        target = self.lab.directory / "minimal.iso"
        return IsoImage(minimal.extract(full, target, distro, rootfs_url=url), distro)

    def _pxe(self) -> Medium:
        scenario, lab = self.scenario, self.lab
        files = {kind: lab.artifact(kind) for kind in ("live-kernel", "live-initramfs", "live-rootfs")}
        distro = lab.distro
        append = configs.installer_options(console=[lab.console_name], append_karg=[_MARK])
        live = self._live_config(configs.installer_file(distro, "mantle.yaml", append))
        arguments = [
            "rd.neednet=1",
            "ip=dhcp",
            "ignition.firstboot",
            "ignition.platform.id=metal",
            lab.console,
            f"ignition.config.url={self._http.put('pxe-live.ign', live)}",
            f"{distro.inst_karg('install_dev')}={TARGET}",
            f"{distro.inst_karg('ignition_url')}={self._http.put('config.ign', self._target_config)}",
        ]
        if scenario.source is Source.IMAGE_URL:
            arguments.append(f"{distro.inst_karg('image_url')}={self._image_url}")
            if self._unsigned:
                arguments.append(distro.inst_karg("insecure"))
        initrds: tuple[Path, ...] = (files["live-initramfs"],)
        if scenario.rootfs_appended:
            initrds = (*initrds, files["live-rootfs"])
        else:
            url = self._http.put("rootfs.img", files["live-rootfs"])
            arguments.append(f"{distro.live_karg('rootfs_url')}={url}")
        components = Components(files["live-kernel"], initrds)
        return network_boot(
            lab.directory / "tftp",
            components,
            " ".join([*arguments, *lab.media.kernel_args.split()]),
            firmware=scenario.boot_firmware,
            arch=lab.arch,
        )


def _multipath(lab: Lab) -> IgnitionConfig:
    """Have multipath configured before its daemon starts, and the installer wait for the disk."""
    enable = """[Unit]
Description=Configure multipath
Before=multipathd.service
[Service]
Type=oneshot
ExecStart=mpathconf --enable
[Install]
WantedBy=multi-user.target nestos-installer.target
"""
    device = r"dev-mapper-mpatha.device"
    wait = f"[Unit]\nRequires={device} multipathd.service\nAfter={device} multipathd.service\n"
    return unit("kola-multipath.service", enable, enabled=True).merge(
        dropin(f"{lab.distro.installer.program}.service", "kola-multipath.conf", wait)
    )
