"""Kernel arguments, boot entries, mounts and kernel settings, all of them."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from testsuites.audit import booting
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "kargs"])


@pytest.mark.kola(guide="5.4#kernel-arguments")
def test_command_line(record: Record, distro: Distro) -> None:
    """The build's arguments are in force, none is undone by a later one, and none opens the system."""
    assert_none(booting.command_line(record, distro))


@pytest.mark.kola(guide="5.4#kernel-arguments")
def test_boot_entries(record: Record, distro: Distro) -> None:
    """Every boot entry boots a deployment, with the build's arguments and a title that says what it is."""
    assert_none(booting.boot_entries(record, distro))


@pytest.mark.kola(guide="9.1#read-only")
def test_mounts(record: Record) -> None:
    """Mounts that must be read-only are, /var is on disk, and no mount covers a part of the system."""
    assert_none(booting.mounts(record))


@pytest.mark.kola()
def test_kernel_settings(record: Record) -> None:
    """Every sysctl is as the build's sysctl.d says; none is weakened."""
    assert_none(booting.kernel_settings(record))


@pytest.mark.kola()
def test_journal_settings(record: Record) -> None:
    """The journal is told to keep every level and every boot."""
    assert_none(booting.journal_settings(record))
