"""`kola run` on the reference OS: it passes whole; broken on purpose, exactly the right tests fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from kolarun import ignition, kola_run

pytestmark = pytest.mark.vm

PASSWORDS = "/etc/ssh/sshd_config.d/40-disable-passwords.conf"

# Each defect, and the tests that claim what it breaks.
DEFECTS = {
    "passwords are taken": {"nestos.auth.verify", "defaults.sshd.effective-configuration"},
    "docker is enabled": {"defaults.docker.docker-is-present-but-off"},
    "anybody may write a file": {"nestos.filesystem.world-writable"},
    "a service account has a shell": {"nestos.users.shells"},
    "something listens": {"fcos.network.listeners"},
}
BROKEN = {
    "storage": {
        "files": [
            {
                "path": PASSWORDS,
                "overwrite": True,
                "mode": 0o600,
                "contents": {"source": "data:,PasswordAuthentication%20yes%0A"},
            },
            {"path": "/etc/kola-open", "mode": 0o666, "contents": {"source": "data:,x"}},
        ]
    },
    "passwd": {"users": [{"name": "mallory", "shell": "/bin/bash", "noCreateHome": True}]},
    "systemd": {
        "units": [
            {"name": "docker.service", "enabled": True},
            {
                "name": "kola-open.socket",
                "enabled": True,
                "contents": "[Socket]\nListenStream=8080\nAccept=yes\n[Install]\nWantedBy=sockets.target\n",
            },
            {"name": "kola-open@.service", "contents": "[Service]\nExecStart=/bin/true\n"},
        ]
    },
}


def test_the_reference_os_keeps_its_promises(reference: Path, tmp_path: Path) -> None:
    """The `defaults` suite and a test or two of most other suites pass.

    This is what `make run` runs; a plain `kola run` takes several times as long.
    """
    outcome = kola_run(reference, tmp_path / "out", "--parallel", "2", "--tag", "defaults,smoke")
    assert outcome.failed() == set(), outcome.printed
    assert outcome.code == 0
    assert sum(test["result"] == "PASS" for test in outcome.tests.values()) >= 40
    assert outcome.printed.rstrip().endswith(f"PASS, output in {tmp_path / 'out'}")
    boots = {how for test in outcome.tests.values() for how in test["boot"]}
    assert {"cold", "clone"} <= boots


def test_each_defect_fails_the_test_that_claims_it(reference: Path, tmp_path: Path) -> None:
    """Five defects at once: their own tests fail, every other test of the suite passes."""
    config = ignition(tmp_path / "broken.ign", **BROKEN)
    outcome = kola_run(
        reference, tmp_path / "out", "--parallel", "2", "--append-ignition", str(config),
        "defaults.sshd.*", "defaults.docker.docker-is-*", "defaults.users.*", "defaults.network.*",
        "nestos.auth.*", "nestos.users.*", "nestos.filesystem.*", "fcos.network.*",
    )  # fmt: skip
    assert outcome.code == 1
    assert outcome.failed() == set().union(*DEFECTS.values()), outcome.printed
    assert "8080" in outcome.why("fcos.network.listeners")
    assert "/etc/kola-open" in outcome.why("nestos.filesystem.world-writable")
    assert "mallory" in outcome.why("nestos.users.shells")


ONESHOT = "[Service]\nType=oneshot\nExecStart={}\n[Install]\nWantedBy=multi-user.target\n"
BOOTS_THAT_FAIL = {
    "failed-unit": {
        "systemd": {
            "units": [
                {
                    "name": "kola-fails.service",
                    "enabled": True,
                    "contents": ONESHOT.format("/bin/false"),
                }
            ]
        }
    },
    "kernel-panic": {
        "systemd": {
            "units": [
                {
                    "name": "kola-panics.service",
                    "enabled": True,
                    "contents": ONESHOT.format("/bin/sh -c 'echo c > /proc/sysrq-trigger'"),
                }
            ]
        }
    },
    "initramfs-failure": {
        "storage": {
            "files": [
                {
                    "path": "/etc/kola-wrong",
                    "contents": {
                        "source": "data:,x",
                        "verification": {"hash": "sha512-" + "0" * 128},
                    },
                }
            ]
        }
    },
}


@pytest.mark.parametrize("cause", BOOTS_THAT_FAIL)
def test_a_boot_that_fails_says_why(reference: Path, tmp_path: Path, cause: str) -> None:
    """The verdict names what happened to the guest, and comes long before any timeout."""
    config = ignition(tmp_path / "broken.ign", **BOOTS_THAT_FAIL[cause])
    outcome = kola_run(
        reference,
        tmp_path / "out",
        "--boot",
        "cold",
        "--append-ignition",
        str(config),
        "defaults.boot.machine-id",
    )
    assert outcome.code == 1
    test = outcome.tests["defaults.boot.machine-id"]
    assert (test["kind"], test["cause"]) == ("guest", cause), outcome.printed
    assert test["duration"] / 1e9 < 240
    if cause == "initramfs-failure":
        assert "hash" in test["reason"].lower()
