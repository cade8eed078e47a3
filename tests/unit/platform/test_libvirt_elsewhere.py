"""Daemons of other hosts: how guests are reached, and which machines they cannot have."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.machine.boot import DiskImage, KernelBoot
from harness.machine.channels import CONSOLE
from harness.machine.route import SshRoute
from harness.machine.spec import Firmware, GuestForward, HostDirectory, MachineSpec, Reachable
from harness.platform.hosts import HostEntry
from harness.platform.libvirt import remote
from harness.platform.libvirt.given import Files
from harness.platform.libvirt.host import LibvirtHost, usual_user
from harness.platform.parts.firmware import FirmwareFiles

CAPABILITIES = """<capabilities><host><secmodel><model>none</model></secmodel><secmodel><model>dac</model>
<baselabel type='kvm'>+64055:+106</baselabel><baselabel type='qemu'>+64055:+106</baselabel>
</secmodel></host></capabilities>"""
DOMAINS = """<domainCapabilities><os><loader><value>/fw/CODE.fd</value></loader></os><devices>
<tpm><enum name='backendModel'><value>passthrough</value><value>emulator</value></enum></tpm>
</devices></domainCapabilities>"""
DISK = DiskImage(Path("/image.qcow2"))


def route(uri: str, **entry: Any) -> SshRoute:
    return LibvirtHost(HostEntry(uri, **entry)).route("127.0.0.1", 4711)


@pytest.mark.parametrize(
    ("uri", "entry"),
    [
        ("qemu+ssh://root@far:2222/system?keyfile=/k&no_verify=1&socket=/s", {}),
        ("qemu+tcp://far/system", {"ssh": "ssh://root@far:2222?keyfile=/k&no_verify=1"}),
    ],
)
def test_guests_are_reached_through_their_host(uri: str, entry: dict[str, str]) -> None:
    found = route(uri, **entry)
    assert (found.address, found.port, found.jump_host) == ("127.0.0.1", 4711, "ssh://root@far:2222")
    assert found.jump_options[:2] == ("-i", "/k")
    assert "StrictHostKeyChecking=no" in found.jump_options


@pytest.mark.parametrize(
    ("uri", "entry", "destination"),
    [
        ("qemu+ssh://far/system", {}, "ssh://far"),
        ("qemu+tcp://far:16510/system", {}, "far"),
        ("qemu+tls://far/system", {"ssh": "root@door"}, "root@door"),
    ],
)
def test_the_users_own_configuration_of_ssh_says_the_rest(
    uri: str, entry: dict[str, str], destination: str
) -> None:
    assert route(uri, **entry) == SshRoute("127.0.0.1", 4711, destination)


def test_guests_of_this_host_are_reached_here() -> None:
    assert route("qemu+unix:///system?socket=/s") == SshRoute("127.0.0.1", 4711)


def test_qemu_runs_there_as_the_user_that_is_usual_there() -> None:
    assert usual_user(CAPABILITIES) == (64055, 106)
    assert usual_user("<capabilities><host/></capabilities>") is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param({}, "", id="plain"),
        pytest.param({"swtpm": True, "display": True, "numa_nodes": True}, "", id="of-libvirt"),
        pytest.param({"internet": True}, "packet filter", id="internet"),
        pytest.param(
            {"reachable": Reachable(forwards=(GuestForward("10.0.2.100", 80, "s"),))},
            "services",
            id="services",
        ),
        pytest.param({"reachable": Reachable(tftp=Path("/t"))}, "services", id="tftp"),
        pytest.param({"host_directories": (HostDirectory(Path("/"), "/m"),)}, "directories", id="directory"),
        pytest.param({"medium": KernelBoot(Path("/kernel"))}, "boot files", id="kernel"),
        pytest.param({"firmware": Firmware.UEFI}, "no firmware /fw/OTHER.fd", id="firmware"),
    ],
)
def test_what_is_part_of_this_host_is_refused(
    words: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = FirmwareFiles(Path("/fw/OTHER.fd"), Path("/fw/VARS.fd"), "ovmf")
    monkeypatch.setattr(remote.firmware, "find", lambda *_: found)
    said = remote.obstacle(MachineSpec(DISK, **words), DOMAINS)
    assert reason in said
    assert bool(reason) == bool(said)


def test_a_host_without_swtpm_has_no_machines_with_a_tpm() -> None:
    bare = DOMAINS.replace("<value>emulator</value>", "")
    assert "swtpm" in remote.obstacle(MachineSpec(DISK, swtpm=True), bare)


def test_sockets_of_a_session_there_have_short_names() -> None:
    files = Files(channels=((CONSOLE, None), (replace(CONSOLE, port="a-port-with-a-long-name"), None)))
    directory = "/" + "d" * 79
    named = remote.with_sockets(files, directory, "kola-0012ab34cd-1234")
    assert [path.name for _, path in named.channels if path] == [
        "kola-0012ab34cd-1234.0",
        "kola-0012ab34cd-1234.1",
    ]
    assert max(len(str(path)) for _, path in named.channels) <= 107
    assert remote.too_long(directory) == ""
    assert "directory" in remote.too_long(directory + "d")


def test_a_session_there_whose_sockets_would_have_long_names_has_no_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(LibvirtHost, "domain_capabilities", DOMAINS)
    spec = MachineSpec(DISK, swtpm=False)
    reasons = [
        LibvirtHost(HostEntry(f"qemu+ssh://far/{path}", directory="/" + "d" * 90)).refuses(spec)
        for path in ("session", "system")
    ]
    assert "too many for sockets" in reasons[0]
    assert reasons[1] == ""


def test_an_image_that_reads_other_files_is_not_copied(tmp_path: Path) -> None:
    base, image = tmp_path / "base", tmp_path / "image"
    for words in (["base", "1M"], ["-b", "base", "-F", "qcow2", "image"]):
        command = ["qemu-img", "create", "-q", "-f", "qcow2", *words]
        subprocess.run(command, check=True, cwd=tmp_path)
    store: Any = SimpleNamespace(image=lambda path, progress: path)
    assert remote.image_on(store, base) == base
    with pytest.raises(ConfigError, match="reads other files"):
        remote.image_on(store, image)
