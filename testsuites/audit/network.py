"""Rules for the machine's own network: the addresses of the loopback, and the queues of interfaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_LINK = re.compile(r"\d+: ([^:@]+)[:@].* qdisc (\w+)")
_QUEUES = {"noqueue", "noop", "mq", "pfifo_fast"}
"""Queues that the kernel gives a device when nobody else does, besides `net.core.default_qdisc`."""


def addresses_and_queues(record: Record) -> list[Finding]:
    """Return what is missing of the loopback's addresses, and every queue set by hand."""
    return list(_found(record))


def _found(record: Record) -> Iterator[Finding]:
    addresses = {word for line in record.lines("loopback") for word in line.split()}
    wanted = ["127.0.0.1/8"]
    if record.sysctl.get("net.ipv6.conf.lo.disable_ipv6") == "0":
        wanted.append("::1/128")
    for address in wanted:
        if address not in addresses:
            yield Finding("the machine reaches itself", "lo", f"lacks the address {address}")
    queues = _QUEUES | {record.sysctl.get("net.core.default_qdisc", "fq_codel")}
    for link, queue in queues_of(record):
        if queue not in queues:
            yield Finding("nothing slows the network", link, f"has the queue {queue}")


def queues_of(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the links and their queues."""
    for line in record.lines("interfaces"):
        if match := _LINK.match(line):
            yield match.group(1), match.group(2)
