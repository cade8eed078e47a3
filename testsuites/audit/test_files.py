"""Every file of the system, listed and judged."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from testsuites.audit import commit, declared, etc, hooks, modes, names, programs, secrets
from testsuites.audit.collection import Collection
from testsuites.audit.configured import Configured
from testsuites.audit.finding import assert_none
from testsuites.audit.judging import Judge
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "filesystem"])


@pytest.mark.kola()
def test_modes_and_owners(record: Record) -> None:
    """No file is for all to write, without an owner, or a device node outside /dev."""
    assert_none(modes.world_writable(record))


@pytest.mark.kola()
def test_declared(record: Record) -> None:
    """Files and directories of tmpfiles.d have the mode and owner that it says, and no store ages by it."""
    assert_none(declared.as_declared(record) + declared.aged_stores(record))


@pytest.mark.kola()
def test_hosts(record: Record) -> None:
    """/etc/hosts redirects no name."""
    assert_none(names.foreign_hosts(record))


@pytest.mark.kola()
def test_trust(record: Record, distro: Distro) -> None:
    """The build alone says whom programs trust, ask and load, and who may use their services."""
    assert_none(etc.trusted(record, distro))


@pytest.mark.kola()
def test_programs(record: Record) -> None:
    """No program or library runs in the place of the system's, and homes have skel's start-up files."""
    assert_none(programs.shadowed(record))


@pytest.mark.kola()
def test_secrets(record: Record) -> None:
    """No private key and no credential is on a machine as it comes."""
    assert_none(secrets.secrets(record))


@pytest.mark.kola()
def test_jobs(record: Record) -> None:
    """No cron job, hook of a service, rc.local or systemd generator is there but the build's."""
    assert_none(hooks.planted_jobs(record))


@pytest.mark.kola(guide="9.1#read-only")
def test_usr(collection: Collection) -> None:
    """Every file below /usr is as the booted commit has it, and was not written since it was deployed."""
    assert_none(commit.committed(collection.record_with_commit()))


@pytest.mark.kola(guide="5.5.5#overlay-files")
def test_etc(record: Record, distro: Distro, configured: Configured, judge: Judge) -> None:
    """/etc is /usr/etc, except for what the config and a first boot write."""
    judge(etc.etc_differences(record, distro, configured), "etc_written")
