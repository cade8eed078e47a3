"""Every way in, listed and judged; and every method of authentication really tried."""

from __future__ import annotations

import pytest

from harness.artifact import Distro
from harness.machine.machine import Machine
from testsuites.audit import logins, ways_in
from testsuites.audit.finding import assert_none
from testsuites.audit.judging import Judge
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "sshd"])


@pytest.mark.kola(guide=["4#keys-only", "9.2#keys-only"])
def test_settings_of_every_sshd(record: Record, distro: Distro, judge: Judge) -> None:
    """No sshd takes anything but keys, of no user, from no address (`sshd -T -C`); all is as shipped."""
    found = [*ways_in.sshd_settings(record, distro), *ways_in.sshd_as_shipped(record)]
    judge(found, "authorized_keys_files", "authorized_keys_commands")


@pytest.mark.kola(guide="9.2#keys-only")
def test_exceptions(record: Record) -> None:
    """No sshd treats a user or an address otherwise than the rest."""
    assert_none(ways_in.sshd_exceptions(record))


@pytest.mark.kola(guide="9.2#keys-only", tags=["audit", "sshd", "smoke"], timeout="10m")
def test_every_method_is_refused(machine: Machine, distro: Distro) -> None:
    """Without a key nobody gets in: not by none, a right password, keyboard-interactive, or host-based."""
    assert_none(logins.refusals(machine, distro))


@pytest.mark.kola(guide="7.4.1#ssh-keys", timeout="10m")
def test_key_types(record: Record, machine: Machine, distro: Distro, judge: Judge) -> None:
    """Keys of all types that the guide shows let in whom they were given to, ssh-rsa included."""
    judge([*ways_in.key_types(record, distro), *logins.refused_keys(machine, distro)], "key_types")


@pytest.mark.kola(guide="4#keys-only")
def test_authorized_keys(record: Record) -> None:
    """No key is on the system that the config did not put there."""
    assert_none(ways_in.authorized_keys(record))


@pytest.mark.kola()
def test_servers_of_logins(record: Record) -> None:
    """A single sshd listens, on port 22, and no other login server."""
    assert_none(ways_in.sshd_sockets(record))


@pytest.mark.kola(guide="8.3.1")
def test_consoles(record: Record, distro: Distro, judge: Judge) -> None:
    """The consoles of the profile ask for a login, and there is no other."""
    judge(ways_in.consoles(record, distro.consoles), "consoles")
