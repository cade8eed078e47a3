"""The smallest machine the guide allows."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine


@pytest.mark.kola(name="misc.smallest", tags=["misc"], guide="2.2")
@pytest.mark.machine(memory_mib=512, cpus=1, primary_size="10G", boot="cold")
def test_smallest_machine(machine: Machine) -> None:
    """A machine with one CPU, 512 MB and a disk of 10 GB comes up whole, with room to work in."""
    cpus = machine.run("nproc").check().stdout.strip()
    assert cpus == "1", f"the machine has {cpus} CPUs, not one"
    memory = {
        line.split(":")[0]: int(line.split()[1]) for line in machine.run("cat /proc/meminfo").check().lines
    }
    assert memory["MemTotal"] <= 512 * 1024, f"the machine has {memory['MemTotal']} KiB, more than 512 MiB"
    assert memory["MemAvailable"] > 100 * 1024, "less than 100 MiB of memory are left"
    device = machine.run("lsblk -ndo PKNAME $(findmnt -nvo SOURCE /sysroot)").check().stdout.strip()
    size = int(machine.run(["lsblk", "-bdno", "SIZE", f"/dev/{device}"]).check().stdout)
    assert size == 10 << 30, f"the disk has {size} bytes, not {10 << 30}"
    free = int(machine.run("df --output=avail -B1 /var | tail -1").check().stdout)
    assert free > 4 << 30, "less than 4 GiB of the disk are free"
    machine.run("head -c 200M /dev/zero > /var/tmp/kola && rm /var/tmp/kola").check()
