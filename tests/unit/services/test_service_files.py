"""TFTP's directory, rpm packages and their repository."""

from __future__ import annotations

import gzip
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from service_calls import fetch

from harness.errors import ConfigError, InfrastructureError
from harness.services import Rpm, RpmFile, Services
from harness.services.listener import Listener

PROBE = Rpm(
    name="kola-probe",
    version="1.2",
    files={"/usr/bin/kola-probe": RpmFile("#!/bin/sh\n", 0o755), "/usr/share/kola/a file": b"data"},
    requires=("bash", "kola-other >= 2"),
    conflicts=("kola-enemy",),
    provides=("probe = 1",),
    post="touch /etc/kola-probed",
)


def query(rpm: Path, *words: str) -> list[str]:
    done = subprocess.run(["rpm", "-qp", *words, str(rpm)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_tftp_tells_what_was_fetched(services: Services) -> None:
    tftp = services.tftp({"file": "text", "boot/kernel": b"\0\1"})
    assert tftp.url("boot/kernel") == "tftp://10.0.2.2/boot/kernel"
    assert tftp.requests == []
    for path in ("boot/kernel", "file", "file"):
        (tftp.directory / path).read_bytes()
    list((tftp.directory / "boot").iterdir())
    assert tftp.requests == ["boot/kernel", "file", "file"]
    assert services.reachable().tftp == tftp.directory
    services.close()
    assert not tftp.directory.exists()
    assert "RRQ boot/kernel" in (services.directory / "tftp.log").read_text()


def test_tftp_starts_in_no_time(tmp_path: Path) -> None:
    """Less than 50 ms; the best of some, since the host may be busy."""
    took = []
    for number in range(5):
        services = Services(tmp_path / str(number))
        started = time.monotonic()
        services.tftp({"file": "text"})
        took.append(time.monotonic() - started)
        services.close()
    assert min(took) < 0.05


@pytest.mark.parametrize("path", ["../escape", "/", "a/../../b"])
def test_tftp_writes_nothing_outside_its_directory(services: Services, path: str) -> None:
    with pytest.raises(ConfigError, match="is no path of a file"):
        services.tftp({path: "x"})


def test_a_package_is_what_was_asked_for(tmp_path: Path) -> None:
    rpm = PROBE.build(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["kola-probe-1.2-1.noarch.rpm"] == [rpm.name]
    assert query(rpm, "--qf", "%{NAME} %{VERSION}-%{RELEASE} %{ARCH}") == ["kola-probe 1.2-1 noarch"]
    assert query(rpm, "--qf", r"[%{FILEMODES:octal} %{FILEUSERNAME} %{FILENAMES}\n]") == [
        "100755 root /usr/bin/kola-probe",
        "100644 root /usr/share/kola/a file",
    ]
    assert {"bash", "kola-other >= 2"} <= set(query(rpm, "--requires"))
    assert query(rpm, "--conflicts") == ["kola-enemy"]
    assert "probe = 1" in query(rpm, "--provides")
    assert "touch /etc/kola-probed" in query(rpm, "--scripts")


def test_a_package_for_one_architecture(tmp_path: Path) -> None:
    rpm = Rpm(name="kola-native", arch="x86_64", files={"/usr/lib/x": ""}).build(tmp_path)
    assert query(rpm, "--qf", "%{ARCH}") == ["x86_64"]


def test_a_package_that_cannot_be_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no absolute path"):
        Rpm(name="kola-bad", files={"usr/bin/x": ""}).build(tmp_path)
    with pytest.raises(InfrastructureError, match="rpmbuild"):
        Rpm(name="kola-bad", requires=("a >= ",)).build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_repository_lists_its_packages_and_takes_more(services: Services) -> None:
    repository = services.rpm_repository([PROBE])
    assert packages(repository.server.listener) == {"kola-probe"}
    repository.add(Rpm(name="kola-other", version="2"))
    assert packages(repository.server.listener) == {"kola-probe", "kola-other"}
    assert fetch(repository.server.listener, "/kola-probe-1.2-1.noarch.rpm").body.startswith(
        b"\xed\xab\xee\xdb"
    )
    assert "baseurl=http://10.0.2.130/\n" in repository.repo_file()
    assert repository.requests


def packages(listener: Listener) -> set[str]:
    """The names in the primary metadata that repomd.xml leads to."""
    repomd = ET.fromstring(fetch(listener, "/repodata/repomd.xml").body)
    space = {"r": "http://linux.duke.edu/metadata/repo", "c": "http://linux.duke.edu/metadata/common"}
    location = repomd.find("r:data[@type='primary']/r:location", space)
    assert location is not None
    primary = ET.fromstring(gzip.decompress(fetch(listener, "/" + location.attrib["href"]).body))
    return {name.text or "" for name in primary.iterfind("c:package/c:name", space)}
