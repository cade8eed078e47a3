"""Rules for names: whom the system, its units and its containers ask for them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record

_LOCALHOST = re.compile(r"localhost[46]?")
_NAMED = re.compile(r"(localhost|localhost[46])(\.localdomain[46]?)?|ip6-\w+|[^.]*\.localdomain")
_STUB = re.compile(r"127\.|::1$")
_OPTIONS = {"edns0", "trust-ad"}
"""Options that NetworkManager and systemd-resolved write."""


def resolvers(record: Record) -> list[Finding]:
    """Return every name server, search domain and option that no network gave the machine."""
    return list(_resolvers(record))


def _resolvers(record: Record) -> Iterator[Finding]:
    rule, file = "the network's servers are asked for names", "/etc/resolv.conf"
    given = {word for line in record.lines("given-names") for word in re.split(r"[|,\s]+", line) if word}
    servers = 0
    for line in record.lines("names"):
        key, *values = line.partition("#")[0].split() or [""]
        if key == "nameserver":
            servers += 1
            for server in values:
                if server not in given and not _STUB.match(server):
                    yield Finding(rule, file, f"nameserver {server} is asked, which no network gave")
        elif key in ("search", "domain"):
            for domain in values:
                if domain not in given and domain != ".":
                    yield Finding(rule, file, f"{domain} is searched, which no network gave")
        elif key == "options":
            for option in values:
                if option not in _OPTIONS:
                    yield Finding(rule, file, f"has the option {option}")
    if given and not servers:
        yield Finding(rule, file, "names no server")


def of_containers(record: Record) -> list[Finding]:
    """Return every setting of a container engine by which containers ask others than the host does."""
    return [
        Finding("containers ask whom the host asks", line.file, f"says {line.text.strip()[:60]}")
        for line in record.file_lines("container-names")
        if not record.shipped(line.file)
    ]


def foreign_hosts(record: Record) -> list[Finding]:
    """Return every name in /etc/hosts that is not the machine's own or one of the harness's services."""
    found = []
    shipped = set(record.lines("hosts-shipped"))
    own = set(record.lines("hostname")) | {name.partition(".")[0] for name in record.lines("hostname")}
    for line in record.lines("hosts"):
        address, *names = line.partition("#")[0].split() or [""]
        if not address or line in shipped or address.startswith("10.99."):
            continue
        here = address.startswith(("127.", "::1", "fe00::", "ff0"))
        moved = [name for name in names if _LOCALHOST.fullmatch(name)]
        if moved and address not in ("127.0.0.1", "::1"):
            says = f"{' '.join(moved)} is {address}, not 127.0.0.1 or ::1"
            found.append(Finding("names are not redirected", "/etc/hosts", says))
        strange = [
            name
            for name in names
            if not (here and (_NAMED.fullmatch(name) or name in own)) and not name.endswith(".kola.test")
        ]
        if strange:
            says = f"{' '.join(strange)} is {address}"
            found.append(Finding("names are not redirected", "/etc/hosts", says))
    return found
