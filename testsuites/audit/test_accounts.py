"""Every account and every right, listed and judged."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from testsuites.audit import accounts
from testsuites.audit.configured import Configured
from testsuites.audit.finding import assert_none
from testsuites.audit.judging import Judge
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "users"])


@pytest.mark.kola()
def test_only_root_is_root(record: Record, distro: Distro) -> None:
    """Only one account has uid 0, and no two share a uid, gid or name."""
    assert_none(accounts.second_uid0(record, distro))


@pytest.mark.kola()
def test_are_the_builds(record: Record, distro: Distro, configured: Configured) -> None:
    """No account is there but those of the build, the default user, and approved ones."""
    assert_none(accounts.added_accounts(record, distro, configured))


@pytest.mark.kola()
def test_passwords(record: Record) -> None:
    """No password is empty or shipped, in passwd, shadow and gshadow."""
    assert_none(accounts.passwords(record))


@pytest.mark.kola()
def test_shells(record: Record, distro: Distro) -> None:
    """Nobody but root and the default user can log in."""
    assert_none(accounts.shells(record, distro))


@pytest.mark.kola(guide="7.4.1#groups")
def test_memberships(record: Record, distro: Distro) -> None:
    """Nobody but the default user is in a group that administrates."""
    assert_none(accounts.memberships(record, distro))


@pytest.mark.kola()
def test_sudo(record: Record, distro: Distro) -> None:
    """`sudo -l -U` grants nothing to any account but root and the default user."""
    assert_none(accounts.sudo_rights(record, distro))


@pytest.mark.kola()
def test_polkit(record: Record) -> None:
    """No rule of polkit beside the build's says yes."""
    assert_none(accounts.polkit_rules(record))


@pytest.mark.kola()
def test_system_bus(record: Record) -> None:
    """A program without rights can take no name on the system bus, a service's or another."""
    assert_none(accounts.bus_names(record))


@pytest.mark.kola()
def test_subordinate_ids(record: Record, distro: Distro) -> None:
    """The default user has subordinate ids of its own, as rootless podman needs them."""
    assert_none(accounts.subordinate_ids(record, distro))


@pytest.mark.kola()
def test_setuid_and_capabilities(record: Record, distro: Distro, judge: Judge) -> None:
    """Setuid and setgid programs and file capabilities are the build's own."""
    judge(accounts.setuid_files(record, distro), "setuid_programs", "capable_programs")


@pytest.mark.kola()
def test_login_stack(record: Record) -> None:
    """PAM lets nobody in without a proof, and no other host is trusted."""
    assert_none(accounts.login_stack(record))
