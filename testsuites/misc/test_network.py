"""Addresses on several NICs: by DHCP, from a keyfile, or from the kernel's command line."""

from __future__ import annotations

import pytest

from harness.ignition import additions
from harness.machine.machine import Machine

pytestmark = pytest.mark.kola(tags=["misc", "network"])

MACS = tuple(f"52:55:00:d1:56:0{number}" for number in range(4))
CONNECTIONS = "/etc/NetworkManager/system-connections"


def keyfile(name: str, mac: str, address: str) -> str:
    """The guide's keyfile, with the name of the card added."""
    return (
        f"[connection]\nid={name}\ntype=ethernet\n[ethernet]\nmac-address={mac}\n"
        f"[ipv4]\naddress1={address}/24\ndns=192.0.2.53;\nmay-fail=false\nmethod=manual\n"
    )


KEYFILES = additions.kola_files(
    [
        additions.GuestFile(
            path=f"{CONNECTIONS}/kola-static.nmconnection",
            content=keyfile("kola-static", MACS[2], "10.0.3.77"),
            mode=0o600,
        ),
        additions.GuestFile(
            path=f"{CONNECTIONS}/kola-open.nmconnection",
            content=keyfile("kola-open", MACS[3], "10.0.4.77"),
            mode=0o644,
        ),
    ]
)

FOUR_NICS = pytest.mark.machine(ignition=KEYFILES, additional_nics=4, boot="clone")
"""A machine with four more NICs: two without configuration, and two with a keyfile."""


def addresses(machine: Machine, mac: str) -> list[str]:
    """IPv4 addresses of the card, once it has one."""
    script = (
        f"name=$(basename $(dirname $(grep -l {mac} /sys/class/net/*/address))); ip -4 -o addr show $name"
    )

    def found() -> list[str] | None:
        lines = machine.run(script).check().lines
        return [line.split()[3] for line in lines] or None

    return machine.poll(found, timeout=15, step=f"waiting for an address on {mac}")


@pytest.mark.kola(name="misc.network.keyfile", guide="7.4.2")
@FOUR_NICS
def test_keyfile(machine: Machine) -> None:
    """A keyfile of mode 0600 gives its card a static address and no other; one that all can read does not."""
    mode = machine.file(f"{CONNECTIONS}/kola-static.nmconnection").mode
    assert mode == 0o600, f"kola-static.nmconnection has mode {mode:o}, not 600"
    assert addresses(machine, MACS[2]) == ["10.0.3.77/24"]
    active = machine.run("nmcli -t -f NAME connection show --active", sudo=True).check().lines
    assert "kola-static" in active, f"kola-static is not active: {', '.join(active)}"
    assert "kola-open" not in active, "kola-open, which all can read, is active"
    assert addresses(machine, MACS[3]) == ["10.0.2.34/23"]
    assert "nameserver 192.0.2.53" in machine.file("/etc/resolv.conf").text
    route = machine.run("ip -4 route get 10.0.3.2").check().stdout
    assert "src 10.0.3.77" in route


@pytest.mark.kola(name="misc.network.nics")
@FOUR_NICS
def test_several_nics(machine: Machine) -> None:
    """Each card has an address of its own network, and the way out is the first one's."""
    assert addresses(machine, MACS[0]) == ["10.0.2.31/23"]
    assert addresses(machine, MACS[1]) == ["10.0.2.32/23"]
    assert "src 10.0.2.15" in machine.run("ip -4 route get 10.0.2.2").check().stdout


@pytest.mark.kola(name="misc.network.kernel-argument", needs=["network-kargs"])
@pytest.mark.machine(
    additional_nics=1,
    firstboot_kernel_args=(
        f"rd.neednet=1 ifname=kola0:{MACS[0]} ip=10.0.3.77::10.0.3.2:255.255.255.0::kola0:none"
    ),
)
def test_kernel_argument(machine: Machine) -> None:
    """An address given on the first boot's command line is there, and stays."""
    assert addresses(machine, MACS[0]) == ["10.0.3.77/24"]
    machine.reboot()
    assert addresses(machine, MACS[0]) == ["10.0.3.77/24"]
