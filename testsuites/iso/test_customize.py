"""Media that the installer's own tool customizes on the host (user guide, 7.5)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.ignition import IgnitionConfig
from harness.installer import minimal
from harness.installer.follow import Follower
from harness.installer.initrd import wrap_ignition, wrap_network
from harness.installer.isoimage import Embedded, IsoImage, network_dir
from harness.installer.kargs import KargsEdit
from harness.installer.pxe import Components, network_boot
from harness.installer.signs import ORDER
from harness.installer.tool import InstallerTool
from harness.machine.boot import EmptyDisk, LiveIso, Medium
from harness.machine.spec import Firmware
from testsuites.iso import configs
from testsuites.iso.lab import ISO, TARGET, TARGET_GIB, Lab, reach_installed
from testsuites.iso.steps import KEYFILE, KEYFILE_NAME

pytestmark = [
    pytest.mark.kola(tags=["iso"], architectures=["x86_64"], timeout="30m"),
    pytest.mark.machine(memory_mib=2048),
]

ROOT_HASH = "$1$root$CPjzNGH.NqmQ7rh26EeXv1"
"""The hash of the password qwer1234, made by `openssl passwd -1 -salt root qwer1234` as in the guide."""
ROOT_PASSWORD = "qwer1234"
_CONFIG = '{"ignition": {"version": "3.3.0"}}'


@pytest.fixture
def tool(lab: Lab) -> InstallerTool:
    """The installer on this host; the test is skipped where there is none, or no live ISO."""
    lab.require(ISO)
    found = InstallerTool.find(lab.distro)
    if found is None:
        pytest.skip(f"this host has no {lab.distro.installer.program} (KOLA_INSTALLER=FILE names one)")
    return found


def copied(lab: Lab, name: str) -> Path:
    """A pristine copy of the ISO for the tool to write to."""
    return lab.iso().copy(Embedded(), lab.directory / name)


def files(lab: Lab) -> tuple[Path, Path]:
    """An Ignition config and a keyfile."""
    config, keyfile = lab.directory / "config.ign", lab.directory / KEYFILE_NAME
    config.write_text(_CONFIG, encoding="utf-8")
    keyfile.write_text(KEYFILE, encoding="utf-8")
    return config, keyfile


@pytest.mark.kola(name="iso-tool.same-bytes")
def test_same_bytes(lab: Lab, tool: InstallerTool) -> None:
    """Our code changes an ISO by the same bytes as `iso ignition embed`, `network embed`, `kargs modify`."""
    theirs = copied(lab, "theirs.iso")
    config, keyfile = files(lab)
    tool.run("iso", "ignition", "embed", "-i", config, theirs)
    tool.run("iso", "network", "embed", "-k", keyfile, theirs)
    tool.run("iso", "kargs", "modify", "-a", lab.console, "-a", "kola.one=1", theirs)
    embedded = Embedded(
        _CONFIG.encode(), {KEYFILE_NAME: KEYFILE}, KargsEdit(append=(lab.console, "kola.one=1"))
    )
    ours = lab.iso().copy(embedded, lab.directory / "ours.iso")
    differing = subprocess.run(
        ["cmp", str(theirs), str(ours)], capture_output=True, encoding="utf-8", check=False
    )
    assert differing.returncode == 0, differing.stdout


@pytest.mark.kola(name="iso-tool.same-initrds")
def test_same_initrds(lab: Lab, tool: InstallerTool) -> None:
    """Our initrds are those of `pxe ignition wrap` and `pxe network wrap`."""
    config, keyfile = files(lab)
    assert tool.run("pxe", "ignition", "wrap", "-i", config) == wrap_ignition(_CONFIG.encode())
    assert tool.run("pxe", "network", "wrap", "-k", keyfile) == wrap_network(
        {KEYFILE_NAME: KEYFILE}, network_dir(lab.distro)
    )


@pytest.mark.kola(name="iso-tool.reset")
def test_reset(lab: Lab, tool: InstallerTool) -> None:
    """Embedded data is shown, and `iso reset` restores the pristine image."""
    iso = copied(lab, "a.iso")
    config, _ = files(lab)
    tool.run("iso", "ignition", "embed", "-i", config, iso)
    assert tool.run("iso", "ignition", "show", iso).decode() == _CONFIG
    tool.run("iso", "kargs", "modify", "-a", "kola.one=1", iso)
    assert "kola.one=1" in tool.run("iso", "kargs", "show", iso).decode().split()
    tool.run("iso", "reset", iso)
    assert IsoImage(iso, lab.distro).initrd.members() == {}
    assert subprocess.run(["cmp", str(iso), str(lab.iso().path)], check=False).returncode == 0


@pytest.mark.kola(name="iso-tool.extract-pxe", guide="7.5.2#pxe-customize")
def test_extract_pxe(lab: Lab, tool: InstallerTool) -> None:
    """`iso extract pxe` gives the files that our code extracts."""
    theirs, ours = lab.directory / "theirs", lab.directory / "ours"
    theirs.mkdir()
    ours.mkdir()
    tool.run("iso", "extract", "pxe", "-o", theirs, lab.iso().path)
    lab.iso().extract_pxe(ours)
    names = sorted(path.name for path in ours.iterdir())
    assert sorted(path.name for path in theirs.iterdir()) == names
    for name in names:
        assert subprocess.run(["cmp", str(theirs / name), str(ours / name)], check=False).returncode == 0


@pytest.mark.kola(name="iso-tool.same-minimal-iso")
def test_same_minimal_iso(lab: Lab, tool: InstallerTool) -> None:
    """Our minimal ISO is that of `iso extract minimal-iso`."""
    theirs, url = lab.directory / "theirs.iso", "http://10.0.2.100/rootfs.img"
    tool.run("iso", "extract", "minimal-iso", "--rootfs-url", url, lab.iso().path, theirs)
    ours = minimal.extract(lab.iso(), lab.directory / "ours.iso", lab.distro, rootfs_url=url)
    assert subprocess.run(["cmp", str(theirs), str(ours)], check=False).returncode == 0


def dest_config(lab: Lab) -> Path:
    """The config of guide 7.5.1, root with a password hash, and the signal that the system is up."""
    root = {"passwd": {"users": [{"name": "root", "passwordHash": ROOT_HASH}]}}
    config = configs.merged(
        [
            lab.way_in,
            IgnitionConfig.from_dict({"ignition": {"version": "3.3.0"}, **root}),
            configs.installed_signal(lab.distro, ["grep -q kola.customized=1 /proc/cmdline"]),
            configs.emergency_signal(lab.distro.installer.emergency_message),
        ]
    )
    target = lab.directory / "dest.ign"
    target.write_bytes(config)
    return target


def live_config(lab: Lab) -> Path:
    """The signal that the live system is up."""
    target = lab.directory / "live.ign"
    target.write_bytes(configs.merged([lab.way_in, configs.live_signal(lab.distro)]))
    return target


def hooks(lab: Lab) -> tuple[Path, Path]:
    """Scripts that say on the completion port that they have run."""
    made = []
    for when in ("pre", "post"):
        script = lab.directory / f"{when}.sh"
        script.write_text(f"#!/bin/bash\necho {when}-script >{configs.PORT}\n", encoding="utf-8")
        made.append(script)
    return made[0], made[1]


def customized(lab: Lab) -> list[str | Path]:
    pre, post = hooks(lab)
    return [
        "--dest-device", TARGET,
        "--dest-ignition", dest_config(lab),
        "--dest-console", lab.console_name,
        "--dest-karg-append", "kola.customized=1",
        "--live-ignition", live_config(lab),
        "--pre-install", pre,
        "--post-install", post,
    ]  # fmt: skip


def installs_unattended(lab: Lab, medium: Medium, **machine: Any) -> None:
    """The medium installs, reboots, and root logs in on the console."""
    follower: Follower = lab.start(medium, plan=ORDER, disk=EmptyDisk(TARGET_GIB), **machine)
    booted = reach_installed(follower)
    said = booted.channel("testisocompletion").lines
    assert [line for line in said if line.endswith("-script")] == ["pre-script", "post-script"], said
    console = booted.console
    console.expect("login: ", timeout=120)
    console.send_line("root")
    console.expect("Password: ", timeout=60)
    console.send_line(ROOT_PASSWORD)
    console.expect(r"root@\S+[^\n]*#", timeout=60)
    print(f"stages: {follower.tracker.describe()}")


@pytest.mark.kola(name="iso-customize.bios", guide=["7.5.1#customized-iso", "7.5.1#console-login"])
def test_customized_iso(lab: Lab, tool: InstallerTool) -> None:
    """`iso customize` makes an ISO that installs unattended; root logs in on the console afterwards."""
    iso = copied(lab, "customized.iso")
    tool.run("iso", "customize", *customized(lab), "--live-karg-append", lab.console, iso)
    installs_unattended(lab, LiveIso(iso), network=False)


@pytest.mark.kola(name="pxe-customize.bios", guide="7.5.2#pxe-customize")
@pytest.mark.machine(memory_mib=4096)
def test_customized_pxe(lab: Lab, tool: InstallerTool) -> None:
    """`iso extract pxe` and `pxe customize` give files from which the network installs unattended."""
    parts = lab.iso().extract_pxe(lab.directory)
    initrd = lab.directory / "customized-initrd.img"
    tool.run("pxe", "customize", *customized(lab), "-o", initrd, parts["initrd.img"])
    url = lab.services.http({"rootfs.img": parts["rootfs.img"]}).url("rootfs.img")
    arguments = [
        "ignition.firstboot",
        "ignition.platform.id=metal",
        "rd.neednet=1",
        "ip=dhcp",
        lab.console,
        f"{lab.distro.live_karg('rootfs_url')}={url}",
    ]
    medium = network_boot(
        lab.directory / "tftp",
        Components(parts["vmlinuz"], (initrd,)),
        " ".join(arguments),
        firmware=Firmware.BIOS,
    )
    installs_unattended(lab, medium)


@pytest.mark.kola(name="iso-tool.areas")
def test_areas(lab: Lab, tool: InstallerTool) -> None:
    """`dev show iso` finds the areas where our code finds them."""
    shown = json.loads(tool.run("dev", "show", "iso", "--kargs", lab.iso().path))
    assert str(lab.iso().kargs.size) in json.dumps(shown)
