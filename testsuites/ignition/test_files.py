"""Files, directories and links of the config are there as it describes them."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.ignition.subjects import EVERYTHING

pytestmark = [
    pytest.mark.kola(tags=["ignition", "files"]),
    pytest.mark.machine(ignition=EVERYTHING, boot="clone"),
]


@pytest.mark.kola(guide="7.4.3#file", tags=["ignition", "files", "smoke"])
def test_files(machine: Machine) -> None:
    """Files have the content, mode, owner and group they were given, by name and by number."""
    plain = machine.file("/etc/kola/plain")
    assert plain.text == "one line\nand “another”, with 100% of its signs\n"
    assert (plain.mode, plain.owner) == (0o644, "ada:kola-crew")
    by_id = machine.file("/etc/kola/by-id")
    assert (by_id.mode, by_id.owner) == (0o600, "bert:kola-crew")
    dumped = machine.run("od -An -tx1 /etc/kola/by-id", sudo=True).check().stdout
    assert dumped.split() == ["00", "01", "ff", "0a"]
    empty = machine.file("/etc/kola/empty")
    assert (empty.mode, empty.owner, empty.text) == (0o640, "root:root", "")


@pytest.mark.kola(guide="7.4.3#file")
def test_programs_run(machine: Machine) -> None:
    """A file of mode 0555 can be run by everybody."""
    assert machine.run("/etc/kola/program").check().stdout == "it runs\n"
    mode = machine.file("/etc/kola/program").mode
    assert mode == 0o555, f"/etc/kola/program has mode {mode:o}, not 555"


@pytest.mark.kola(guide="7.4.3#file")
def test_compressed_content_is_unpacked(machine: Machine) -> None:
    """Gzipped content is unpacked, held against its sha512 hash and written as it was."""
    assert machine.file("/etc/kola/packed").text == "unpacked and held against its hash\n"


@pytest.mark.kola()
def test_existing_files_are_replaced_or_appended_to(machine: Machine) -> None:
    """`overwrite` leaves nothing of a file, `append` leaves all of it, in the order of the config."""
    assert machine.file("/etc/hosts").text.splitlines()[-1] == "192.0.2.47 replaced.kola.test"
    lines = len(machine.file("/etc/hosts").text.splitlines())
    assert lines == 3, f"/etc/hosts has {lines} lines, not the three of the config"
    assert "192.0.2.47" in machine.run("getent hosts replaced.kola.test").check().stdout
    shipped = machine.file("/usr/etc/services").text
    assert shipped.strip(), "/usr/etc/services is empty"
    assert machine.file("/etc/services").text == f"{shipped}\nkola-one 4711/tcp\nkola-two 4712/tcp\n"


@pytest.mark.kola()
def test_missing_parents_are_made(machine: Machine) -> None:
    """Directories on the way to a file are made for everybody to enter and root to write."""
    assert machine.file("/var/lib/kola/deep/down/file").text == "deep"
    for path in ("/var/lib/kola", "/var/lib/kola/deep", "/var/lib/kola/deep/down"):
        assert (machine.file(path).mode, machine.file(path).owner) == (0o755, "root:root")


@pytest.mark.kola(guide="7.4.3#directory")
def test_directories(machine: Machine) -> None:
    """Directories have the mode, owner and group they were given, by name and by number."""
    named = machine.file("/etc/kola/dir")
    assert (named.mode, named.owner) == (0o750, "ada:kola-crew")
    numbered = machine.file("/var/lib/kola-by-id")
    assert (numbered.mode, numbered.owner) == (0o711, "ada:kola-crew")
    assert machine.run("stat -c %F /etc/kola/dir /var/lib/kola-by-id").check().lines == ["directory"] * 2


@pytest.mark.kola(name="nestos.ignition.symlink", guide="7.4.3#link", tags=["ignition", "files", "smoke"])
def test_links(machine: Machine) -> None:
    """Soft links lead where they should, hard links are the file itself, and replace what was there."""
    target = machine.run("readlink /etc/kola/soft").check().stdout.strip()
    assert target == "plain", f"/etc/kola/soft leads to {target}, not to plain"
    same, links = machine.run("stat -c '%i %h' /etc/kola/plain").check().stdout.split()
    assert machine.run("stat -c '%i %h' /etc/kola/hard").check().stdout.split() == [same, links]
    assert links == "2", f"/etc/kola/plain has {links} names, not two"
    assert machine.run("readlink /etc/localtime").check().stdout.strip().endswith("Asia/Shanghai")
    time = machine.run("date -d @0 +%H:%M%z").check().stdout.strip()
    assert time == "08:00+0800", f"the epoch began at {time} in the machine's zone, not at 08:00+0800"


@pytest.mark.kola(name="nestos.ignition.sethostname", tags=["ignition", "files", "smoke"])
def test_hostname(machine: Machine) -> None:
    """The machine is called what /etc/hostname of the config says."""
    assert machine.run("cat /proc/sys/kernel/hostname").check().stdout.strip() == "kola-host"
    assert machine.run("hostname").check().stdout.strip() == "kola-host"


@pytest.mark.kola(guide=["7.2", "7.3"])
def test_butane(machine: Machine) -> None:
    """The config, written in Butane, became Ignition 3.3.0 and was applied, the child in it, too."""
    assert EVERYTHING.version == "3.3.0"
    assert machine.file("/etc/kola/merged").text == "from the child\n"
