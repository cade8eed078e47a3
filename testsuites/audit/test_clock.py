"""The clock: it follows a source that answers, and none that does not."""

from __future__ import annotations

import pytest

from harness.machine.machine import Machine
from testsuites.audit import clock
from testsuites.audit.finding import assert_none
from testsuites.audit.record import Record

pytestmark = pytest.mark.kola(tags=["audit", "time"])

_SERVER = r"""
ip netns add kola-time
ip link add kola-time type veth peer name kola-inner
ip link set kola-inner netns kola-time
ip address add 192.0.2.1/30 dev kola-time
ip link set kola-time up
ip netns exec kola-time ip address add 192.0.2.2/30 dev kola-inner
ip netns exec kola-time ip link set kola-inner up
printf '%s\n' 'local stratum 3' 'allow all' 'cmdport 0' 'bindcmdaddress /' 'pidfile /run/kola-time.pid' \
    > /run/kola-time.conf
systemd-run --quiet --unit=kola-time -p NetworkNamespacePath=/run/netns/kola-time \
    chronyd -x -d -f /run/kola-time.conf
chronyc add server 192.0.2.2 iburst minpoll 0 maxpoll 2
"""
"""A second chronyd, in a network namespace of its own, answers the machine's."""


@pytest.mark.kola()
def test_keeps_time(record: Record) -> None:
    """A time service runs, follows other clocks than its own, and may set the clock."""
    assert_none(clock.keeps_time(record))


@pytest.mark.kola(timeout="5m")
def test_follows_a_source_that_answers(machine: Machine) -> None:
    """Without an answer chronyd is not synchronised; with a server that answers, it follows that one."""
    if not machine.run("pgrep -x chronyd").ok:
        pytest.skip("chronyd does not run")
    before = machine.run("chronyc -c -n tracking", sudo=True).check().stdout.split(",")
    assert before[0] == "00000000", f"chronyd follows {before[1] or before[0]}, and nobody can answer it"
    machine.run(["sh", "-ec", _SERVER], sudo=True).check()

    def followed() -> bool:
        return "^,*,192.0.2.2," in machine.run("chronyc -c -n sources", sudo=True).stdout

    machine.poll(followed, timeout=90, step="waiting for chronyd to follow a server that answers", interval=2)
