"""Missing host packages are named once and clearly; package sources are read from the host's apt."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.reference.build import requirements as requirements_module
from harness.reference.build.arch import ARCHES
from harness.reference.build.bootstrap import apt_options, debian_sources
from harness.reference.build.grub import library
from harness.reference.build.requirements import BINFMT, missing, require, requirements

NEEDED = requirements(ARCHES["x86_64"])


def test_every_package_of_an_architecture_is_known() -> None:
    packages = [requirement.package for requirement in NEEDED]
    assert {"mmdebstrap", "ostree", "grub-pc-bin", "grub-efi-amd64-bin", "qemu-utils"} <= set(packages)
    assert len(packages) == len(set(packages))


def test_a_foreign_architecture_needs_emulation_and_brings_its_own_grub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    arm = ARCHES["aarch64"]
    packages = {requirement.package for requirement in requirements(arm)}
    assert {"qemu-user-static", "binfmt-support", "arch-test"} <= packages
    assert not [name for name in packages if name.startswith("grub-efi")]
    with pytest.raises(ValueError, match="unpack"):
        library(arm, tmp_path, tmp_path)
    assert library(ARCHES["x86_64"], tmp_path, tmp_path) == Path("/usr/lib/grub")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    packages = {requirement.package for requirement in requirements(arm)}
    assert "grub-efi-arm64-bin" in packages
    assert "qemu-user-static" not in packages


def test_missing_names_packages_not_programs() -> None:
    absent = {"sfdisk", "mmdebstrap"}
    assert missing(NEEDED, lambda requirement: requirement.probe not in absent) == ("mmdebstrap", "fdisk")


def test_what_is_missing_comes_with_the_one_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigError) as error:
        require(("ostree", "mtools"), install=False)
    assert "lacks" in error.value.message
    assert error.value.hint is not None
    assert error.value.hint.startswith("apt-get install -y --no-install-recommends ostree mtools")


def test_emulation_is_registered_where_its_package_alone_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    ran: list[list[str]] = []
    monkeypatch.setattr(requirements_module, "run", lambda argv, **_options: ran.append(list(argv)))
    with pytest.raises(ConfigError, match="binfmt-support && update-binfmts --enable"):
        require((BINFMT,), install=False)
    require((BINFMT,), install=True)
    assert ran[-1] == ["update-binfmts", "--enable"]
    require(("ostree",), install=True)
    assert ran[-1] != ["update-binfmts", "--enable"]


def test_only_root_can_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ConfigError, match="needs root"):
        require((), install=False)


def test_sources_are_those_of_debian_alone() -> None:
    targets = "\n".join(
        (
            "http://mirror.example/debian/|bookworm|main|Debian|bookworm",
            "http://mirror.example/debian/|bookworm-updates|main|Debian|bookworm-updates",
            "http://mirror.example/debian/|bookworm|main|Debian|bookworm",
            "http://other.example/|stable|main|Someone|stable",
        )
    )
    assert debian_sources(targets, suite="bookworm") == (
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian/ bookworm-updates main",
    )


def test_a_host_without_the_suite_is_told_so() -> None:
    with pytest.raises(ConfigError, match="knows no Debian bookworm"):
        debian_sources("http://mirror.example/debian/|trixie|main|Debian|trixie", suite="bookworm")


def test_proxies_and_certificates_are_handed_on() -> None:
    dump = "\n".join(
        (
            'Acquire "";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::https::CAInfo "/etc/ssl/ca.pem";',
            'Acquire::Languages "none";',
        )
    )
    assert apt_options(dump) == (
        'Acquire::http::Proxy "http://proxy.example:3128"',
        'Acquire::https::CAInfo "/etc/ssl/ca.pem"',
    )
