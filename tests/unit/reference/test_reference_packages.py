"""Packages of the distribution in the world of rpm: names, headers, and a database that rpm itself reads."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.reference.build.packages import from_dpkg
from harness.reference.build.rpmdb import installed_packages
from harness.reference.build.rpmheader import InstalledFile, InstalledPackage, header

_STATUS = """\
Package: tool
Status: install ok installed
Architecture: amd64
Version: 1:2.0-rc1-3+b1
Description: does things
 at length

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("7.88.1-10+deb12u12", "tool-7.88.1-10+deb12u12.x86_64"),
        ("1:9.2p1-2", "tool-1:9.2p1-2.x86_64"),
        ("3.0043", "tool-3.0043-0.x86_64"),
        ("2.0-rc1-3", "tool-2.0_rc1-3.x86_64"),
    ],
)
def test_debian_versions_become_rpms(version: str, expected: str) -> None:
    assert from_dpkg("tool", version, "amd64").nevra == expected


def test_only_what_is_installed_and_there_is_listed(tmp_path: Path) -> None:
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info.parent / "status").write_text(_STATUS)
    (info / "tool.list").write_text("/.\n/bin\n/bin/tool\n/usr/share/doc/tool\n")
    (info / "tool.md5sums").write_text("0123456789abcdef0123456789abcdef  bin/tool\n")
    (info / "tool.shlibs").write_text("libtool 7 tool (>= 2)\n")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/tool").write_text("#!")
    (entry,) = installed_packages(tmp_path)
    assert entry.package.nevra == "tool-1:2.0_rc1-3+b1.x86_64"
    assert [file.path for file in entry.files] == ["/usr/bin", "/usr/bin/tool"]
    assert entry.files[1].md5 == "0123456789abcdef0123456789abcdef"
    assert entry.provides == ("libtool.so.7()(64bit)",)


def test_rpm_reads_a_database_made_of_our_headers(tmp_path: Path) -> None:
    files = (
        InstalledFile("/usr/bin/tool", 0o100755, 2, 1_700_000_000, "0" * 32),
        InstalledFile("/usr/bin/link", 0o120777, 0, 1_700_000_000, target="tool"),
    )
    entries = [
        InstalledPackage(from_dpkg("tool", "1:2.0-3", "amd64"), "does things", files, ("/bin/tool",)),
        InstalledPackage(from_dpkg("empty", "1", "all"), "nothing in it", ()),
    ]
    content = b"".join(header(entry, timestamp=1_756_684_800) for entry in entries)
    database = ["--dbpath", tmp_path / "rpm"]
    subprocess.run(["rpmdb", *database, "--importdb"], input=content, check=True)

    def rpm(*arguments: str) -> str:
        return subprocess.run(
            ["rpm", *database, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert sorted(rpm("-qa", "--qf", "%{EVR} %{NEVRA}\n").splitlines()) == [
        "1-0 empty-1-0.noarch",
        "1:2.0-3 tool-1:2.0-3.x86_64",
    ]
    assert rpm("-q", "--provides", "tool") == "tool = 1:2.0-3\n/bin/tool"
    assert rpm("-qlv", "tool").splitlines()[0].endswith("/usr/bin/link -> tool")
    assert rpm("-q", "--whatprovides", "/bin/tool").startswith("tool-2.0-3")
