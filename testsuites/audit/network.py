"""Rules for addresses, routes and queues: those of the kernel and of NetworkManager, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_RULE = re.compile(r"(\d+):\s+from all lookup (local|main|default)\s*$")
_KERNELS = {"0": "local", "32766": "main", "32767": "default"}
_LINK = re.compile(r"\d+: ([^:@]+)[:@].* qdisc (\S+)")
_REFUSES = ("blackhole ", "prohibit ", "unreachable ", "throw ")
_QUEUES = {"noqueue", "mq", "pfifo_fast"}
"""Queues that the kernel gives a device when nobody else does, besides `net.core.default_qdisc`."""


def routes_and_rules(record: Record) -> list[Finding]:
    """Return what is missing of the loopback's addresses, and every rule, route and queue set by hand."""
    return list(_found(record))


def _found(record: Record) -> Iterator[Finding]:
    addresses = {word for line in record.lines("loopback") for word in line.split()}
    wanted = ["127.0.0.1/8"]
    if record.sysctl.get("net.ipv6.conf.lo.disable_ipv6") == "0":
        wanted.append("::1/128")
    for address in wanted:
        if address not in addresses:
            yield Finding("the machine reaches itself", "lo", f"lacks the address {address}")
    for line in record.lines("rules"):
        match = _RULE.match(line)
        if match is None or _KERNELS.get(match.group(1)) != match.group(2):
            yield Finding("packets take the kernel's ways", f"ip rule {' '.join(line.split())}", "was added")
    for route in (" ".join(line.split()) for line in record.lines("routes")):
        refuses = route.startswith(_REFUSES) and " proto kernel" not in route
        if refuses or " proto boot" in route:
            says = "refuses packets" if refuses else "is neither the kernel's nor NetworkManager's"
            yield Finding("packets take the kernel's ways", f"ip route {route}", says)
    queues = _QUEUES | {record.sysctl.get("net.core.default_qdisc", "fq_codel")}
    for link, queue in queues_of(record):
        if queue not in queues:
            yield Finding("nothing slows the network", link, f"has the queue {queue}")


def queues_of(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the links and their queues."""
    for line in record.lines("links"):
        if match := _LINK.match(line):
            yield match.group(1), match.group(2)
