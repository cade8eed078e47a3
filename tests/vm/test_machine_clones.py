"""Clones with disks, multipath, a TPM and kernel arguments; two clones on a private network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from machinelab import MachineLab, block_devices, paths_to

from harness.machine.arrival import Arrival
from harness.machine.machine import Machine
from harness.machine.spec import Disk
from harness.platform.templates import Recipe
from harness.util.deadline import Deadline

pytestmark = pytest.mark.vm

DISKS = ("1G", "1G:channel=scsi,4k", "1G:mpath")


@pytest.fixture(scope="module")
def clones(lab: MachineLab) -> list[Machine]:
    """Two clones of a machine with everything that can be cloned."""
    spec = lab.spec(
        swtpm=True,
        additional_nics=1,
        kernel_args="kola.template=1",
        disks=tuple(Disk.parse(text) for text in DISKS),
    )
    templates = lab.platform.templates
    template = templates.obtain(
        Recipe(spec, lab.artifact.identity(), "nest", lab.config),
        deadline=Deadline(300 * lab.platform.scale),
    )
    found = []
    for _ in range(2):
        directory = lab.new_directory()
        instance = templates.clone(template, spec, directory=directory, deadline=Deadline(60))
        machine = lab.keep(Machine(instance, template.access, scale=lab.platform.scale, how="clone"))
        machine.wait_resumed(Arrival.new(template.boot_id))
        machine.arrive()
        found.append(machine)
    return found


@pytest.fixture(scope="module")
def connected(lab: MachineLab, clones: list[Machine]) -> Iterator[list[Machine]]:
    network = lab.platform.private_network()
    network.connect(clones)
    yield clones
    network.close()


def test_a_clone_has_its_templates_disks(clones: list[Machine]) -> None:
    disks = block_devices(clones[0])
    assert disks["disk1"]["name"].startswith("vd")
    assert disks["disk2"]["logical"] == "4096"
    assert len(paths_to(clones[0], "disk3")) == 2


def test_clones_do_not_see_what_another_writes(clones: list[Machine]) -> None:
    first, second = clones
    device = f"/dev/{block_devices(first)['disk1']['name']}"
    first.run(f"echo mine > {device}; sync", sudo=True).check()
    assert first.run(f"head -c 4 {device}", sudo=True).stdout == "mine"
    assert second.run(f"head -c 4 {device} | tr -d '\\0'", sudo=True).stdout == ""


def test_a_clone_has_a_tpm_that_answers(clones: list[Machine]) -> None:
    registers = [machine.run("cat /sys/class/tpm/tpm0/pcr-sha256/0", sudo=True) for machine in clones]
    assert all(len(answer.check().stdout.strip()) == 64 for answer in registers)


def test_a_clone_has_its_templates_kernel_arguments(clones: list[Machine]) -> None:
    assert "kola.template=1" in clones[0].run("cat /proc/cmdline").stdout.split()


def test_machines_reach_each_other_by_name(connected: list[Machine]) -> None:
    for machine, own, other in zip(connected, ("node1", "node2"), ("node2", "node1"), strict=True):
        assert machine.run("hostname").stdout.strip() == own
        answer = machine.run(f"ping -c 3 -W 5 {other}", sudo=True)
        assert answer.ok, answer.stdout + machine.run("ip address; ip neigh").stdout
    addresses = [machine.run("ip -4 -br address").stdout for machine in connected]
    assert ["10.99.0.1/24" in addresses[0], "10.99.0.2/24" in addresses[1]] == [True, True]


def test_machines_of_a_network_still_cannot_reach_the_outside(connected: list[Machine]) -> None:
    for machine in connected:
        for address in ("192.0.2.1/80", "10.0.2.2/22", "10.99.0.9/80"):
            assert not machine.run(f"timeout 3 bash -c 'echo > /dev/tcp/{address}'").ok


def test_a_clone_keeps_its_addresses_when_it_asks_for_them_again(connected: list[Machine]) -> None:
    machine = connected[1]
    nics = machine.run("ip -o -4 address | awk '/10.0.2.(15|31)/ {print $2}'").check().stdout.split()
    assert len(nics) == 2
    before = machine.journal.position
    again = "; ".join(f"nmcli device disconnect {nic}; nmcli device connect {nic}" for nic in nics)
    machine.run(f"({again}) > /dev/null 2>&1 < /dev/null & sleep 0.2", sudo=True).check()
    leases = machine.poll(
        lambda: (
            found if len(found := machine.journal.grep("new lease, address=", since=before)) == 2 else None
        ),
        timeout=60,
        step="waiting for both leases",
    )
    assert {entry.message.rpartition("=")[2] for entry in leases} == {"10.0.2.15", "10.0.2.31"}
    machine.drop_connection()
    assert machine.run("true").ok


def test_a_clone_reboots_with_all_it_has(connected: list[Machine]) -> None:
    machine = connected[0]
    machine.reboot()
    assert machine.file("/dev/tpm0").exists
    assert len(paths_to(machine, "disk3")) == 2
    machine.poll(
        lambda: machine.run("ping -c 1 -W 2 node2", sudo=True).ok,
        timeout=30,
        step="waiting for the other machine to answer",
    )
