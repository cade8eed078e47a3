"""Findings are judged by the profile: what NestOS has by right is none, what it may have is doubtful."""

from __future__ import annotations

import pytest
from audit_samples import record

from harness.artifact.distro import NESTOS, REFERENCE
from testsuites.audit import accounts, booting, packages
from testsuites.audit.finding import Finding
from testsuites.audit.judging import Judge

DOUBTFUL = Finding("rule", "/etc/x", "was added", "etc_written")
PLAIN = Finding("rule", "item", "is wrong")


def test_a_finding_by_an_unknown_field_skips_and_fails_where_the_field_is_known() -> None:
    with pytest.raises(pytest.skip.Exception, match="does not know etc_written"):
        Judge(NESTOS)([DOUBTFUL], "etc_written")
    with pytest.raises(AssertionError, match="rule: /etc/x: was added"):
        Judge(REFERENCE)([DOUBTFUL], "etc_written")


def test_other_findings_fail_whatever_the_profile_does_not_know() -> None:
    with pytest.raises(AssertionError, match=r"^rule: item: is wrong$"):
        Judge(NESTOS)([DOUBTFUL, PLAIN], "etc_written")


def test_a_strict_run_fails_where_the_profile_says_unknown() -> None:
    with pytest.raises(AssertionError, match="the profile nestos says unknown: etc_written"):
        Judge(NESTOS, strict=True)([], "etc_written", "consoles_of_nobody")
    Judge(REFERENCE, strict=True)([], "etc_written")


def test_accounts_of_nestos_config_are_no_findings() -> None:
    sample = record(
        add={
            "passwd": ["adm:x:3:4:adm:/var/adm:/sbin/nologin", "halt:x:7:0:halt:/sbin:/sbin/halt"],
            "shadow": ["adm:*:1::::::", "halt:*:1::::::"],
            "getent-group": ["adm:x:4:nest", "dockerroot:x:986:", "isula:x:986:"],
        }
    )
    assert accounts.memberships(sample, NESTOS) == []
    assert accounts.second_uid0(sample, NESTOS) == []
    assert accounts.second_uid0(sample, REFERENCE) != []


def test_the_builds_own_sysctl_conf_counts() -> None:
    digest = "3" * 64
    sample = record(
        add={
            "digests": [f"{digest}  /etc/sysctl.conf", f"{digest}  /usr/etc/sysctl.conf"],
            "sysctl-config": [
                "/usr/lib/sysctl.d/50-d.conf:kernel.sysrq=16",
                "/etc/sysctl.conf:kernel.sysrq=0",
            ],
            "sysctl": ["kernel.sysrq = 0"],
        }
    )
    assert booting.kernel_settings(sample) == []


def test_rpm_differences_of_the_profile_are_excused() -> None:
    said = [
        ".M.......    /usr/libexec/helper",
        "SM5....T.    /usr/libexec/other",
        "missing   d /usr/share/doc/bash/README",
        ".......T.    /usr/bin/bash",
        "..5....T.  c /etc/host.conf",
        "missing     /usr/bin/gone (Permission denied)",
        "S.5....T.    /usr/bin/sudo",
    ]
    found = {finding.item: finding.says for finding in packages.unverified(said, NESTOS)}
    assert found == {
        "/usr/libexec/other": "differs in 5MS",
        "/usr/bin/gone": "is gone",
        "/usr/bin/sudo": "differs in 5S",
    }
