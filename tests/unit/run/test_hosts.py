"""The hosts that a command line names, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.platform.hosts import HostEntry
from kola.cli.main import main
from kola.run.options import MachineOptions, lasting, parse, words
from kola.run.resolve import hosts_of

FAR = "qemu+ssh://root@far/system"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pool.toml"
    path.write_text(f'[[hosts]]\nuri = "{FAR}"\ntags = ["kvm"]\n[[hosts]]\nuri = "qemu:///system"\n')
    return path


def test_hosts_come_from_uris_or_from_a_file(file: Path) -> None:
    assert hosts_of(MachineOptions(), "qemu") == hosts_of(MachineOptions(), "libvirt") == ()
    typed = hosts_of(MachineOptions(libvirt_uri=(FAR, "qemu:///system")), "libvirt")
    assert [host.name for host in typed] == ["far", "qemu:///system"]
    read = hosts_of(MachineOptions(hosts=file, host_tag=("kvm",)), "libvirt")
    assert read == (HostEntry(FAR, "far", tags=("kvm",)),)


@pytest.mark.parametrize(
    ("options", "platform", "message"),
    [
        pytest.param({"libvirt_uri": (FAR,)}, "qemu", "--libvirt-uri is for -p libvirt", id="uri-on-qemu"),
        pytest.param({"hosts": Path("f")}, "qemu", "--hosts is for -p libvirt", id="file-on-qemu"),
        pytest.param({"libvirt_network": "n"}, "qemu", "--libvirt-network is for", id="network-on-qemu"),
        pytest.param({"host_tag": ("kvm",)}, "libvirt", "--host-tag chooses", id="tag-without-file"),
        pytest.param(
            {"libvirt_uri": (FAR,), "hosts": Path("f")}, "libvirt", "--hosts or --libvirt-uri", id="both"
        ),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    options: dict[str, Any], platform: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        hosts_of(MachineOptions(**options), platform)
    assert error.value.hint


def test_a_wrong_file_ends_the_command_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pool.toml"
    path.write_text('[[hosts]]\nuri = "qemu:///system"\nmemmory = 3\n')
    assert main(["run", "-p", "libvirt", "--hosts", str(path), "basic"]) == 2
    said = capsys.readouterr().err
    assert f"{path}:3: unknown key 'memmory'" in said
    assert "did you mean 'memory'?" in said
    assert "Traceback" not in said


def test_the_command_that_runs_a_test_again_names_the_hosts(file: Path) -> None:
    line = ["--libvirt-uri", FAR, "--libvirt-uri", "qemu:///system"]
    assert parse(words(lasting(parse(line)))).machine.libvirt_uri == (FAR, "qemu:///system")
    assert parse(words(lasting(parse(["--hosts", str(file)])))).machine.hosts == file
