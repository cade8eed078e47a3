"""Traces of a crashed program and of the previous boot."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.second_boot import LOGGED, rebooted

pytestmark = pytest.mark.kola(tags=["misc"])


@pytest.mark.kola(name="misc.coredump", tags=["misc", "smoke"])
@pytest.mark.machine(opt_out=["core-dump", "segfault"])
def test_coredump(machine: Machine) -> None:
    """The core of a crashed program is kept, listed, and can be taken out."""
    machine.run("sh -c 'kill -SEGV $$'")
    shell = machine.run("readlink -f /bin/sh").check().stdout.strip()

    def listed() -> str | None:
        found = machine.run("coredumpctl list --no-legend --no-pager", sudo=True)
        return found.stdout if found.ok else None

    row = machine.poll(listed, timeout=20, step="waiting for the core dump")
    assert "SIGSEGV" in row
    assert shell in row
    assert "present" in row, "the core is not kept"
    machine.run("coredumpctl dump -o /var/tmp/kola-core -1", sudo=True).check()
    assert machine.run("head -c 4 /var/tmp/kola-core", sudo=True).check().stdout == "\x7fELF"


@pytest.mark.kola(name="misc.journal")
@pytest.mark.machine(prepare=rebooted)
def test_journal_of_the_boot_before(machine: Machine) -> None:
    """Messages logged before a reboot can be read after it under the previous boot."""
    listed = machine.run("journalctl --list-boots --no-pager", sudo=True).check().lines
    boots = [line for line in listed if not line.startswith("IDX")]
    assert [line.split()[0] for line in boots] == ["-1", "0"]
    assert machine.boot_id.replace("-", "") in boots[-1]
    before = machine.run("journalctl -b -1 -o cat -t kola-test --no-pager", sudo=True).check()
    assert before.stdout == f"{LOGGED}\n"
    now = machine.run("journalctl -b 0 -o cat -t kola-test --no-pager -q", sudo=True)
    assert now.stdout == "", f"a message of the boot before is this boot's, too: {now.stdout!r}"
    machine.run("systemctl is-active systemd-journal-flush.service").check()


@pytest.mark.kola(name="misc.time")
def test_time(machine: Machine) -> None:
    """The clock is the hardware's, which runs in UTC, and a time service keeps it."""
    hardware, system = machine.run("cat /sys/class/rtc/rtc0/since_epoch; date +%s").check().lines
    apart = abs(int(hardware) - int(system))
    assert apart < 10, f"the system's clock and the hardware's are {apart} s apart"
    zone = machine.run("date +%Z").check().stdout.strip()
    assert zone == "UTC", f"the time zone is {zone}, not UTC"
    assert machine.run("chronyc -n tracking || timedatectl timesync-status", sudo=True).ok, (
        "nobody keeps the time"
    )
