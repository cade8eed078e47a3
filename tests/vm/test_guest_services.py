"""Services of this host as guests see them: in a clone, at a first boot; and nothing else of the host."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.ignition import IgnitionConfig
from harness.machine.machine import Machine
from harness.platform.qemu.platform import QemuPlatform
from harness.services import HttpServer, Rpm, Services
from harness.util.deadline import Deadline
from kola.machines import MachinePool, MachineRequest
from kola.run.options import parse
from kola.run.resolve import resolve

pytestmark = pytest.mark.vm

BIG = bytes(range(256)) * 4096

Lease = Callable[..., Machine]


@dataclass
class Guest:
    """The owner of the leases in this file."""

    directory: Path
    deadline: Deadline
    machines: ExitStack

    def publish(self, kind: str, **data: object) -> None:
        if kind == "notice":
            print(data)

    def started(self, machine: Machine) -> None:
        self.machines.callback(machine.close)


@pytest.fixture(scope="module")
def lease(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lease]:
    """Machines as tests get them from `kola run`, so that its templates serve here too."""
    output = tmp_path_factory.mktemp("output")
    plan = resolve(parse(["--workdir", str(reference), "--output-dir", str(output)]), tell=print).plan
    pool = MachinePool(plan, QemuPlatform())
    with ExitStack() as machines:
        owner = Guest(output, Deadline(600 * pool.scale), machines)

        def make(services: Services, ignition: dict[str, Any] | None = None) -> Machine:
            spec = replace(plan.base_spec(), reachable=services.reachable())
            request = MachineRequest(spec, IgnitionConfig.from_dict(ignition) if ignition else None)
            return pool.lease(request, owner)

        yield make


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = Services(tmp_path_factory.mktemp("services"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def http(services: Services) -> HttpServer:
    return services.http({"hello": "hello over http\n", "big": BIG})


@pytest.fixture(scope="module")
def clone(services: Services, http: HttpServer, lease: Lease) -> Machine:
    """A clone that reaches one service of every kind."""
    services.https({"hello": "hello over https\n"})
    services.tftp({"boot/hello": "hello over tftp\n"})
    services.registry()
    services.registry(tls=False)
    services.rpm_repository([Rpm(name="kola-probe", files={"/usr/share/kola-probe": "probe\n"})])
    machine = lease(services)
    machine.put_bytes(services.authority_pem.encode(), "/tmp/authority.pem")
    return machine


def test_a_clone_reaches_them_by_name_and_address(clone: Machine) -> None:
    assert clone.how == "clone"
    answers = {
        "http://10.0.2.100/hello": "hello over http\n",
        "http://http.kola.test/hello": "hello over http\n",
        "https://10.0.2.110/hello": "hello over https\n",
        "https://https.kola.test/hello": "hello over https\n",
        "https://registry.kola.test/v2/": "{}",
        "http://registry2.kola.test:5000/v2/": "{}",
        "tftp://10.0.2.2/boot/hello": "hello over tftp\n",
    }
    script = "; ".join(
        f"curl -sS -m 20 --cacert /tmp/authority.pem {url} 2>&1; printf '\\0'" for url in answers
    )
    found = clone.run(script).check().stdout.split("\0")[:-1]
    assert dict(zip(answers, found, strict=True)) == answers
    metadata = clone.run("curl -sS -m 20 http://rpm.kola.test/repodata/repomd.xml").check().stdout
    assert "<repomd" in metadata


def test_who_does_not_know_the_authority_refuses_it(clone: Machine) -> None:
    assert clone.run("curl -sS -m 20 https://https.kola.test/hello").status == 60


def test_many_connections_at_once(clone: Machine, http: HttpServer) -> None:
    started = time.monotonic()
    fetch = "curl -sS -m 60 http://10.0.2.100/big | sha256sum"
    sums = clone.run(f"for n in 1 2 3 4 5 6 7 8; do {fetch} & done; wait").check().stdout
    print(f"eight at once: {time.monotonic() - started:.1f} s")
    assert sums.count(hashlib.sha256(BIG).hexdigest()) == 8
    assert [request.status for request in http.requests_for("big")] == [200] * 8
    part = clone.run("curl -sS -m 20 -r 254-257 http://10.0.2.100/big | od -An -tu1").check().stdout
    assert part.split() == ["254", "255", "0", "1"]


def test_one_that_stops_is_gone_at_once_and_can_come_back(clone: Machine, http: HttpServer) -> None:
    started = time.monotonic()
    http.stop()
    assert not clone.run("curl -sS -m 20 http://10.0.2.100/hello").ok
    assert time.monotonic() - started < 10
    http.start()
    assert clone.run("curl -sS -m 20 http://10.0.2.100/hello").check().stdout == "hello over http\n"


def test_nothing_else_of_the_host_is_reached(clone: Machine) -> None:
    """Listeners of this host, other ports of the services' addresses, and the outside are unreachable."""
    with socket.create_server(("", 0)) as four, socket.create_server(("", 0), family=socket.AF_INET6) as six:
        ports = [four.getsockname()[1], six.getsockname()[1]]
        tries = ["10.0.2.2/22", "10.0.2.2/80", "10.0.2.100/22", "10.0.2.101/80", "192.0.2.1/80"]
        tries += [f"{address}/{ports[0]}" for address in ("10.0.2.2", "10.0.2.3", "10.0.2.100")]
        tries += [f"fec0::2/{ports[1]}"]
        script = "".join(
            f"(timeout 4 bash -c 'echo > /dev/tcp/{target}' 2>/dev/null && echo {target}) & "
            for target in [*tries, "10.0.2.100/80"]
        )
        assert clone.run(script + "wait").stdout.split() == ["10.0.2.100/80"]
        for listener in (four, six):
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()
    # UDP: no name server answers, neither the host's nor any other.
    assert not clone.run("timeout 4 getent hosts example.org").ok


def test_a_first_boot_fetches_its_config_from_them(lease: Lease, tmp_path: Path) -> None:
    own = Services(tmp_path / "services")
    try:
        pages = own.http({"merged.ign": MERGED, "file": "over http\n"})
        secure = own.https({"file": "over https\n"})
        files = own.tftp({"file": "over tftp\n"})
        sources = {"http": pages.url("file"), "https": secure.url("file"), "tftp": files.url("file")}
        config = {
            "ignition": {
                "version": "3.3.0",
                "config": {"merge": [{"source": pages.url("merged.ign")}]},
                **{"security": own.trust["ignition"]["security"]},
            },
            "storage": {
                "files": [
                    {"path": f"/etc/kola-{name}", "contents": {"source": source}}
                    for name, source in sources.items()
                ]
            },
        }
        machine = lease(own, config)
        assert machine.how == "first boot from template"
        assert machine.run("cat /etc/kola-http /etc/kola-https /etc/kola-tftp /etc/kola-merged").stdout == (
            "over http\nover https\nover tftp\nmerged\n"
        )
        assert [request.status for request in pages.requests_for("file")] == [200]
        assert files.requests == ["file"]
        assert machine.run("getent hosts https.kola.test").stdout.split()[0] == "10.0.2.110"
    finally:
        own.close()


MERGED = """{"ignition": {"version": "3.3.0"}, "storage": {"files": [
    {"path": "/etc/kola-merged", "contents": {"source": "data:,merged%0A"}}]}}"""
