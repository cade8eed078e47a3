"""Rules for packets: nothing on the way filters, redirects, copies or diverts them but the network itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

CHAIN = "KOLA-AUDIT"
"""A chain that the collector plants in a network of its own, which iptables-save has to list."""
_FIREWALLS = {"nftables.service", "iptables.service", "ip6tables.service", "firewalld.service"}
_DIVERTS = re.compile(r"\b(redirect|[ds]nat|tproxy|masquerade|tee|dup)\b", re.I)
_IPTABLES = re.compile(r"table ip6? (filter|nat|mangle|raw|security)\b")
"""Tables that iptables-save lists, too."""
_NO_RULE = re.compile(r"(table|chain|set|map|flowtable|type|policy|elements|flags|comment|[}#])")
_INTERFACE = re.compile(r"\d+: ([^:@]+)[^:]*: <([^>]*)> (.*)")
_KINDS = {
    "bridge", "bond", "dummy", "ifb", "veth", "vlan", "vxlan", "geneve", "gretap", "ip6gretap", "gre",
    "ip6gre", "erspan", "ip6erspan", "ipip", "sit", "ip6tnl", "vti", "vti6", "wireguard", "tun", "macvlan",
    "macvtap", "ipvlan", "ipvtap", "vrf", "team", "xfrm", "netkit", "nlmon", "macsec", "bareudp",
}  # fmt: skip
"""Kinds of virtual interfaces, with which the last part of `ip -d link`'s lines begins."""
_FALLBACK = {
    "gre0", "gretap0", "erspan0", "sit0", "tunl0", "ip6tnl0", "ip6gre0", "ip_vti0", "ip6_vti0", "bond0",
}  # fmt: skip
"""Devices that the kernel's modules make by themselves (ip_tunnel.c, bonding's max_bonds)."""
_QDISC = re.compile(r"qdisc (clsact|ingress) .*\bdev (\S+)")
_RULES = re.compile(
    r"(0:\s+from all lookup local|32766:\s+from all lookup main|32767:\s+from all lookup default)\s*$"
)
_ROUTES = re.compile(r"\bproto (kernel|dhcp|ra|redirect)\b|\btable local\b|\bdev lo\b")
_TYPES = ("local", "broadcast", "anycast", "multicast", "ff00::/8")
_REFUSES = ("blackhole ", "prohibit ", "throw ", "unreachable ")


def traffic(record: Record) -> list[Finding]:
    """Return every packet rule, filter of an interface, virtual interface, routing rule and added route."""
    return [*_packet_rules(record), *_interfaces(record), *_filters(record), *_routes(record)]


def _packet_rules(record: Record) -> Iterator[Finding]:
    """Lines of iptables-save and nft; beside a firewall of the build, only those that divert packets."""
    running = {one.name for one in record.units if one.active == "active" and one.manager == "system"}
    fragments = {one.get("Id"): one.get("FragmentPath", "") for one in record.shown("services")}
    filtered = any(fragments.get(one, "").startswith("/usr/lib/") for one in _FIREWALLS & running)
    for where, says in (*_iptables(record), *_nft(record)):
        if not filtered or _DIVERTS.search(says):
            yield Finding("packets meet no rules", where, f"says {says[:100]}")


def _iptables(record: Record) -> Iterator[tuple[str, str]]:
    table = ""
    for line in record.lines("packet-rules"):
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A "):
            chain, _, says = line.removeprefix("-A ").partition(" ")
            yield f"{table} {chain}", says
        elif line.startswith(":") and line.split()[1:2] not in (["ACCEPT"], ["-"]):
            yield f"{table} {line[1:].split()[0]}", f"policy {' '.join(line.split()[1:2])}"


def _nft(record: Record) -> Iterator[tuple[str, str]]:
    table, known = "", bool(record.lines("packet-rules"))
    for line in record.lines("nft-rules"):
        text = line.strip()
        if text.startswith("table "):
            table = text.removesuffix("{").strip()
        elif not _NO_RULE.match(text) and not (known and _IPTABLES.match(table)):
            yield f"nft {table}", text


def _interfaces(record: Record) -> Iterator[Finding]:
    for line in record.lines("interfaces"):
        match = _INTERFACE.match(line)
        if match is None or match.group(1) in _FALLBACK | {"lo"}:
            continue
        name, flags, rest = match.groups()
        for part in rest.split("\\")[2:]:
            if part.split()[:1] and part.split()[0] in _KINDS:
                says = f"is virtual: {' '.join(part.split())[:80]}"
                yield Finding("interfaces are the hardware's", name, says)
        if "PROMISC" in flags.split(","):
            yield Finding("interfaces are the hardware's", name, "takes in all packets (PROMISC)")


def _filters(record: Record) -> Iterator[Finding]:
    actions = " ".join(" ".join(record.lines("traffic-filters")).split())
    for line in record.lines("traffic"):
        if match := _QDISC.match(line):
            says = f"its packets pass filters ({match.group(1)}) {actions}".strip()
            yield Finding("packets meet no rules", match.group(2), says[:200])


def _routes(record: Record) -> Iterator[Finding]:
    for line in record.lines("routing-rules"):
        if not _RULES.match(line):
            yield Finding("packets take the network's routes", "ip rule", f"says {' '.join(line.split())}")
    for line in (" ".join(line.split()) for line in record.lines("routes")):
        if line.startswith(_REFUSES):
            if " proto kernel" not in line:
                yield Finding(
                    "packets take the network's routes", line.split()[1], f"is refused: {line[:80]}"
                )
        elif not line.startswith(_TYPES) and not _ROUTES.search(line):
            yield Finding(
                "packets take the network's routes", line.split()[0], f"no network gave: {line[:80]}"
            )
