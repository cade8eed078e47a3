"""Installations typed at the prompt of a live system."""

from __future__ import annotations

import hashlib
import re

import pytest

from harness.services.http import HttpServer
from kola.cases.table import Row
from testsuites.iso.lab import ISO, Lab
from testsuites.iso.prompt import CONFIG, CONFIG_TEXT, IMAGE, LivePrompt

pytestmark = [
    pytest.mark.kola(tags=["iso"], timeout="20m"),
    pytest.mark.machine(memory_mib=2048),
]


@pytest.fixture
def http(lab: Lab) -> HttpServer:
    return lab.services.http({"config.ign": CONFIG_TEXT})


@pytest.fixture
def prompt(lab: Lab, http: HttpServer) -> LivePrompt:
    """A live system at its prompt."""
    lab.require(ISO)
    return LivePrompt.boot(lab)


@pytest.mark.kola(table="refusals.toml")
def test_refusal(row: Row, lab: Lab, http: HttpServer) -> None:
    https = lab.services.https({"config.ign": CONFIG_TEXT})
    lab.require(ISO)
    prompt = LivePrompt.boot(lab, **row.machine)
    values = row.values
    if "before" in values:
        prompt.shell(values["before"])
    places = {
        "http": http.url().rstrip("/"),
        "https": https.url().rstrip("/"),
        "config": CONFIG,
        "image": IMAGE,
    }
    arguments = [word.format(**places) for word in values["arguments"]]
    before, written = prompt.partitions(), prompt.sectors_written()
    refused = prompt.install(*arguments, disk=values.get("disk", ""), image=values.get("image", True))
    assert refused.status != 0, "the installer did not refuse"
    output = refused.stdout + refused.stderr
    assert re.search(values["says"], output), f"the installer says:\n{output}"
    if values.get("written"):
        assert prompt.partitions() == [], "a partition is left of an installation that failed"
    else:
        assert prompt.sectors_written() == written, "the disk was written"
        assert prompt.partitions() == before


@pytest.mark.kola(name="iso-prompt.install-file", tags=["iso", "iso-smoke"], guide="8.3.2#install")
def test_install_with_a_config_file(prompt: LivePrompt) -> None:
    """`install DISK --ignition-file FILE` puts the config where the first boot reads it."""
    prompt.install("--ignition-file", CONFIG).check()
    assert prompt.boot_file("ignition/config.ign") == CONFIG_TEXT
    assert prompt.boot_file("loader/entries/*.conf").count("ignition.platform.id=metal") == 1


@pytest.mark.kola(name="iso-prompt.install-url", guide="8.3.2#install")
def test_install_with_a_config_by_url(prompt: LivePrompt, http: HttpServer) -> None:
    """A config by URL with its hash, or over plain HTTP when that is allowed."""
    digest = hashlib.sha256(CONFIG_TEXT.encode()).hexdigest()
    url = http.url("config.ign")
    prompt.install("--ignition-url", url, "--ignition-hash", f"sha256-{digest}").check()
    assert prompt.boot_file("ignition/config.ign") == CONFIG_TEXT
    prompt.install("--ignition-url", url, "--insecure-ignition").check()
    assert prompt.boot_file("ignition/config.ign") == CONFIG_TEXT
    times = len(http.requests_for("config.ign"))
    assert times == 2, f"the config was fetched {times} times, not twice"


@pytest.mark.kola(name="iso-prompt.kernel-arguments")
def test_kernel_arguments(prompt: LivePrompt) -> None:
    """`--append-karg` and `--delete-karg` change the boot entry that is installed."""
    prompt.install("--append-karg", "kola.added=1", "--delete-karg", "mitigations=auto,nosmt").check()
    entry = prompt.boot_file("loader/entries/*.conf")
    assert "kola.added=1" in entry
    assert "mitigations" not in entry


@pytest.mark.kola(name="iso-prompt.copy-network")
def test_copy_network(prompt: LivePrompt) -> None:
    """`--copy-network` takes the keyfiles of the live system to the installed one."""
    keyfile = "[connection]\nid=static\ntype=ethernet\n[ipv4]\nmethod=manual\naddress1=10.0.2.77/24\n"
    directory = "/etc/NetworkManager/system-connections"
    prompt.shell(f"mkdir -p {directory} && printf '%b' '{keyfile}' >{directory}/static.nmconnection")
    prompt.install("--copy-network").check()
    assert prompt.boot_file("*-firstboot-network/static.nmconnection") == keyfile


_DATA_PARTITION = """
printf 'label: gpt\\nstart=600MiB, size=100MiB, name=data\\n' | sfdisk --quiet /dev/vda
udevadm settle
mkfs.ext4 -q -L data /dev/disk/by-partlabel/data
mkdir -p /var/mnt-data
mount /dev/disk/by-partlabel/data /var/mnt-data
echo kept >/var/mnt-data/file
umount /var/mnt-data
"""


@pytest.mark.kola(name="iso-prompt.save-partlabel")
def test_a_partition_is_kept_by_its_label(prompt: LivePrompt) -> None:
    """`--save-partlabel` keeps a data partition and its content across an installation."""
    prompt.shell(_DATA_PARTITION)
    prompt.install("--save-partlabel", "da*").check()
    _assert_kept(prompt)


@pytest.mark.kola(name="iso-prompt.save-partindex")
def test_a_partition_is_kept_by_its_number(prompt: LivePrompt) -> None:
    """`--save-partindex` keeps a data partition and its content across an installation."""
    prompt.shell(_DATA_PARTITION)
    prompt.install("--save-partindex", "1").check()
    _assert_kept(prompt)


def _assert_kept(prompt: LivePrompt) -> None:
    assert len(prompt.partitions()) == 3, "the image's two partitions and the saved one"
    mounted = "mount -o ro /dev/disk/by-partlabel/data /var/mnt-data && cat /var/mnt-data/file"
    assert prompt.shell(f"udevadm settle; {mounted}").strip() == "kept"
    assert "root=LABEL=root" in prompt.boot_file("loader/entries/*.conf")


@pytest.mark.kola(name="iso-prompt.disk-left-alone", guide="8.3#live")
def test_the_disk_is_left_alone(prompt: LivePrompt) -> None:
    """A live system that is not asked to install writes nothing to the disk and mounts nothing of it."""
    written = prompt.sectors_written()
    assert written == 0, f"{written} sectors of the disk were written"
    assert prompt.disk not in prompt.shell("cat /proc/mounts"), f"{prompt.disk} is mounted"


@pytest.mark.kola(name="iso-prompt.volatile", guide="8.3#live")
def test_the_live_system_is_volatile(prompt: LivePrompt) -> None:
    """The root of a live system is in RAM, the OS itself cannot be written."""
    assert prompt.shell("findmnt -no FSTYPE /etc /var --first-only | sort -u").split() in (
        ["overlay"],
        ["tmpfs"],
    )
    assert not prompt.machine.run(["touch", "/usr/kola"], sudo=True).ok, "/usr can be written"
    assert prompt.machine.run(["test", "-e", "/run/ostree-live"]).ok, "/run/ostree-live is not there"


@pytest.mark.kola(name="iso-prompt.volume-id")
def test_volume_id(lab: Lab) -> None:
    """The volume id is made of the build's name and version, and the live system looks for it."""
    lab.require(ISO)
    iso = lab.iso()
    if lab.build is not None:
        wanted = f"{lab.build.name}-{lab.build.id}"[:32]
        assert iso.volume_id == wanted, f"the volume id is {iso.volume_id!r}, not {wanted!r}"
    assert f"{lab.distro.liveiso_karg}={iso.volume_id}" in iso.kargs.current.split()


_SLOW_INSTALLATION = """
truncate -s 900M /var/tmp/slow.raw
dd if=/dev/urandom of=/var/tmp/slow.raw bs=1M count=300 conv=notrunc status=none
systemd-run --quiet --unit=kola-install {program} install {disk} --insecure --image-file /var/tmp/slow.raw
"""


@pytest.mark.kola(name="iso-prompt.interrupted")
def test_a_power_cut_while_installing(prompt: LivePrompt, lab: Lab) -> None:
    """After a power cut in the middle of an installation the medium boots again and installs."""
    machine = prompt.machine
    prompt.shell(_SLOW_INSTALLATION.format(program=prompt.program, disk=prompt.disk))
    machine.poll(
        lambda: prompt.sectors_written() > 100_000,
        timeout=120,
        step="waiting for the installer to write",
        interval=0.3,
    )
    assert machine.run(["systemctl", "is-active", "kola-install"]).stdout.strip() == "active"
    # The installer has begun with an empty partition table. A BIOS runs its boot sector, which has no code.
    machine.boot_first("medium")
    machine.power_cut()
    assert prompt.partitions() == [], "the disk looks installed although the installation never ended"
    prompt.furnish(lab)
    prompt.install("--ignition-file", CONFIG).check()
    assert prompt.boot_file("ignition/config.ign") == CONFIG_TEXT
