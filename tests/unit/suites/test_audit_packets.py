"""Rules about packets: each finds its bad item and names it; those of a build's own firewall are known."""

from __future__ import annotations

import pytest
from audit_rules import items
from audit_samples import bad, record

from testsuites.audit import packets
from testsuites.audit.record import Record

TUNNEL = "9: x@ens3: <BROADCAST,PROMISC> mtu 1462\\    link/ether 1a:2b\\    vxlan id 7 remote 203.0.113.7"
REDIRECT = "-A PREROUTING -p tcp -m tcp --dport 40022 -j REDIRECT --to-ports 22"


@pytest.mark.parametrize(
    ("sample", "item"),
    [
        (bad("packet-rules", "*nat", ":PREROUTING ACCEPT [0:0]", REDIRECT, "COMMIT"), "nat PREROUTING"),
        (bad("packet-rules", "*filter", ":INPUT DROP [0:0]", "COMMIT"), "filter INPUT"),
        (
            bad(
                "nft-rules",
                "table inet x {",
                "chain c {",
                "type nat hook prerouting priority 0;",
                "tcp dport 1 dup",
            ),
            "nft table inet x",
        ),
        (bad("interfaces", TUNNEL), "x"),
        (bad("traffic", "qdisc clsact ffff: dev ens3 parent ffff:fff1"), "ens3"),
        (bad("routing-rules", "100:\tfrom all fwmark 0x1 lookup 100"), "ip rule"),
        (bad("routing-rules", "32765:\tfrom all to 10.88.0.0/16 prohibit"), "ip rule"),
        (bad("routing-rules", "32766:\tfrom all fwmark 0x1 lookup main"), "ip rule"),
        (bad("routes", "blackhole 172.17.0.0/16 proto static"), "172.17.0.0/16"),
        (bad("routes", "unreachable 172.18.0.0/16 dev lo metric 1024"), "172.18.0.0/16"),
        (bad("routes", "10.88.0.0/16 via 10.0.2.9 dev ens3 proto boot"), "10.88.0.0/16"),
        (bad("routes", "198.51.100.0/24 via 10.0.2.9 dev ens3 metric 50"), "198.51.100.0/24"),
        (bad("routes", "default dev wg0 table 100 scope link"), "default"),
    ],
)
def test_a_bad_item_is_found_and_named(sample: Record, item: str) -> None:
    assert item in items("packets", sample)


def test_a_filter_is_shown_with_what_it_does() -> None:
    sample = record(
        add={
            "traffic": ["qdisc clsact ffff: dev ens3 parent ffff:fff1"],
            "traffic-filters": [
                "filter protocol all",
                "\taction order 1: mirred (Egress Mirror to device x)",
            ],
        }
    )
    (found,) = packets.traffic(sample)
    assert "Egress Mirror to device x" in found.says


def test_rules_of_iptables_are_named_once_though_nft_lists_them_too() -> None:
    sample = record(
        add={
            "packet-rules": ["*nat", REDIRECT, "COMMIT"],
            "nft-rules": ["table ip nat {", "chain PREROUTING {", "tcp dport 40022 redirect to :22", "}"],
        }
    )
    assert [one.item for one in packets.traffic(sample)] == ["nat PREROUTING"]


def test_of_a_firewall_of_the_build_only_what_diverts_packets_is_a_finding() -> None:
    sample = record(
        add={
            "packet-rules": ["*filter", "-A INPUT -j DROP", "COMMIT", "*nat", REDIRECT, "COMMIT"],
            "units": ["nftables.service loaded active exited Packet filter"],
            "services": [
                "--",
                "Id=nftables.service",
                "FragmentPath=/usr/lib/systemd/system/nftables.service",
            ],
        }
    )
    assert [one.item for one in packets.traffic(sample)] == ["nat PREROUTING"]
