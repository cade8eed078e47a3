"""Facts of builds: kept as the same bytes, compared by severity, approved with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_samples import SECTIONS, record

from harness.errors import ConfigError
from kola.facts.approvals import load_approvals
from kola.facts.compare import Severity, differences
from kola.facts.model import Facts
from testsuites.audit.facts import facts_of

LINGER = "/var/lib/systemd/linger/eve"
PASSING_UNIT = "/run/systemd/system/evil.service"
BEFORE = Facts("1", "stable", facts_of(record()))


def with_lines(**sections: list[str]) -> Facts:
    return Facts(
        "2", "stable", facts_of(record(add={key.replace("_", "-"): lines for key, lines in sections.items()}))
    )


def test_the_file_is_the_same_for_the_same_facts(tmp_path: Path) -> None:
    BEFORE.write(tmp_path / "facts.json.gz")
    assert Facts.read(tmp_path / "facts.json.gz") == BEFORE
    assert BEFORE.to_bytes() == Facts.read(tmp_path / "facts.json.gz").to_bytes()


def test_the_title_of_a_boot_entry_has_another_version_in_each_build() -> None:
    def entries(title: str) -> dict[str, str]:
        lines = [line.replace("NestOS 1", title) for line in SECTIONS["entries"]]
        return facts_of(record(instead={"entries": lines}))["boot-entries"]

    assert entries("NestOS 12-REF.20250901.0") == entries("NestOS 12-REF.20250901.1")
    assert entries("NestOS For Container 24.03.20250901.dev.0") != entries("NestOS 24.03.20250901.dev.0")


def test_volatile_files_and_the_collectors_own_are_no_facts() -> None:
    assert (
        with_lines(files=["f 644 0 0 9 /etc/machine-id\t", "f 644 0 0 9 /var/log/wtmp\t"]).categories
        == BEFORE.categories
    )
    assert not [path for path in BEFORE.categories["files"] if "kola-audit" in path]


@pytest.mark.parametrize(
    ("sections", "category", "item"),
    [
        ({"passwd": ["toor:x:0:0::/root:/bin/sh"]}, "accounts", "toor"),
        ({"sudo": ["nobody:     (ALL) ALL"]}, "sudo", "nobody"),
        ({"files": ["f 4755 0 0 9 /usr/bin/evil\t"]}, "setuid", "/usr/bin/evil"),
        ({"sockets": ["tcp LISTEN 0 1 0.0.0.0:8080 *:*"]}, "listeners", "tcp 0.0.0.0:8080"),
        ({"cmdline": ["init=/bin/sh"]}, "kernel-arguments", "init"),
        ({"files": ["l 777 0 0 9 /etc/systemd/system/x.wants/d\t/"]}, "enabled-units", "x.wants/d"),
        ({"secrets": ["/etc/key:ssh-rsa AAAA vendor"]}, "keys", "/etc/key"),
        ({"secrets": ["/root/.ssh/authorized_keys:ssh-rsa AAAA v"]}, "keys", "/root/.ssh/authorized_keys"),
        ({"gshadow": ["disk:$6$salt$hash::"], "getent-group": ["disk:x:6:"]}, "groups", "disk"),
        ({"passwd": ["uucp::10:10::/:/sbin/nologin"]}, "accounts", "uucp"),
        ({"subuid": ["eve:1:10"]}, "subordinate-ids", "subuid eve"),
        ({"units": ["bad.service loaded failed failed Bad"]}, "states", "bad.service of system"),
        ({"jobs": ["12 waits.service start waiting"]}, "states", "waits.service"),
        ({"gettys": ["Id=x", "ExecStart={ argv[]=/sbin/agetty -a root ; x }"]}, "consoles", "x"),
        ({"cgroups": ["77 1 ttyS1 bash 0::/system.slice/evil.service"]}, "consoles", "ttyS1"),
        ({"origins": ["/x/y.origin:unconfigured-state=No"]}, "deployments", "y.origin unconfigured-state"),
        ({"ostree-status": ["    Pinned: yes"]}, "deployments", "Pinned: yes"),
        ({"names": ["nameserver 192.0.2.53"]}, "names", "names nameserver 192.0.2.53"),
        ({"hosts": ["192.0.2.1 repo"]}, "names", "hosts 192.0.2.1 repo"),
        ({"journald": ["/etc/x.conf:Storage=none"]}, "journal", "/etc/x.conf Storage=none"),
        ({"clock-config": ["/etc/chrony.conf:local"]}, "clock", "/etc/chrony.conf local"),
        ({"passwords": ["/etc/default/x:PASSWORD=hunter2"]}, "secrets", "/etc/default/x"),
        ({"unix-sockets": ["u_str LISTEN 0 1 @evil 9 * 0 x"]}, "unix-listeners", "@evil"),
        ({"grubenv": ["/boot/grub2/grubenv:saved_entry=x"]}, "boot-menu", "/boot/grub2/grubenv saved_entry"),
        ({"mounts": ["9 1 0:25 / /dev/shm rw,nodev - tmpfs tmpfs rw"]}, "mounts", "/dev/shm"),
        ({"files": ["b 666 0 0 0 /dev/vda\t"]}, "open-files", "/dev/vda"),
        ({"files": ["f 644 0 0 9 /etc/passwd\t", "f 664 1 0 9 /etc/passwd\t"]}, "open-files", "/etc/passwd"),
        ({"files": [f"f 644 0 0 0 {LINGER}\t"]}, "enabled-units", LINGER),
        ({"files": ["f 440 0 0 9 /etc/sudoers.d/evil\t"]}, "files", "/etc/sudoers.d/evil"),
        ({"files": [f"f 644 0 0 9 {PASSING_UNIT}\t"]}, "files", PASSING_UNIT),
        ({"cmdline": ["mitigations=off"]}, "kernel-arguments", "mitigations"),
        ({"sshd-matches": ["/etc/ssh/x:Match  Group adm"]}, "ways-in", "/etc/ssh/x Match Group adm"),
        ({"mounts": ["9 1 254:4 /x /usr/bin/sudo rw - xfs /dev/vda4 rw"]}, "mounts", "/usr/bin/sudo"),
    ],
)  # fmt: skip
def test_what_opens_a_system_is_a_failure(sections: dict[str, list[str]], category: str, item: str) -> None:
    found = differences(BEFORE, with_lines(**sections))
    assert (Severity.FAILURE, category, item) in {(one.severity, one.category, one.item) for one in found}


@pytest.mark.parametrize(
    ("sections", "category", "item"),
    [
        ({"retimed": ["/usr/bin/bash"]}, "files", "/usr/bin/bash"),
        ({"sysctl": ["net.ipv4.conf.all.rp_filter = 0"]}, "sysctl", "net.ipv4.conf.all.rp_filter"),
        ({"files": ["f 644 0 0 9 /etc/motd\t"]}, "files", "/etc/motd"),
    ],
)
def test_other_changes_are_notices(sections: dict[str, list[str]], category: str, item: str) -> None:
    found = differences(BEFORE, with_lines(**sections))
    assert [(one.severity, one.category, one.item) for one in found] == [(Severity.NOTICE, category, item)]


def test_packages_are_a_notice() -> None:
    (found,) = differences(BEFORE, with_lines(packages=["tree 0:2.1-1.x86_64"]))
    assert str(found) == "notice: packages: tree: is new: 0:2.1-1.x86_64"


def test_an_approved_difference_is_told_with_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "kola-facts.yaml"
    file.write_text(
        "- {category: setuid, item: /usr/bin/ev*, reason: asked for in 4711, approved: 2025-09-01}\n"
    )
    found = differences(BEFORE, with_lines(files=["f 4755 0 0 9 /usr/bin/evil\t"]), load_approvals(file))
    (one,) = [one for one in found if one.category == "setuid"]
    assert one.severity is Severity.APPROVED
    assert "(approved: asked for in 4711)" in str(one)


@pytest.mark.parametrize(
    "text",
    [
        "- {category: setuid, item: x, approved: 2025-09-01}",
        "- {category: setuid, item: x, reason: '', approved: 2025-09-01}",
        "- {category: setuid, item: x, reason: y, approved: soon}",
        "setuid: x",
        "- [",
    ],
)
def test_an_approval_without_reason_or_date_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kola-facts.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_approvals(file)
    assert refused.value.file == file


@pytest.mark.parametrize("content", [b"", b"{}", b"\x1f\x8b", b"[1]", b'{"format": 9}'])
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "facts"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        Facts.read(file)
