"""The fixture `services`: what machines are told of it, what is left of it, and the mistake it explains."""

from __future__ import annotations

from pathlib import Path

from fakes.checkout import Checkout

SUITE = """
from harness.services import HttpServer

def words_of(machine):
    return (machine.directory / "qemu-command.txt").read_text()

@pytest.mark.kola()
def test_served(services, new_machine):
    http = services.http({"a": "b"})
    services.tftp({"a": "b"})
    for boot in ("auto", "cold"):
        words = words_of(new_machine(boot=boot))
        assert "guestfwd=tcp:10.0.2.100:80-cmd:socat " in words
        assert f"ABSTRACT-CONNECT:{http.listener.socket}" in words
        assert "restrict=on" in words and f"tftp={services.directory}/tftp" in words
    with http.listener.connect() as guest:
        guest.sendall(b"GET /a HTTP/1.0\\r\\n\\r\\n")
        assert guest.makefile("rb").read().endswith(b"\\r\\n\\r\\nb")
    (services.directory / "socket").write_text(http.listener.socket)

@pytest.mark.kola()
def test_without(machine):
    assert "guestfwd" not in words_of(machine) and "tftp" not in words_of(machine)

@pytest.mark.kola()
def test_too_late(services, machine):
    services.http({"a": "b"})
"""


def test_services_are_the_tests_own(checkout: Checkout) -> None:
    checkout.fake.plan(commands=[{"match": "cat >> /etc/hosts"}])
    checkout.suite(SUITE)
    ran = checkout.run("-j", "2")
    assert ran.results == {"mine.served": "PASS", "mine.without": "PASS", "mine.too-late": "FAIL"}, ran.stderr
    (late,) = [test for test in ran.report["tests"] if test["name"] == "mine.too-late"]
    assert (late["kind"], late["cause"]) == ("config", "config")
    assert "new_machine" in late["reason"]
    (named,) = ran.output.rglob("services/socket")
    assert f"@{named.read_text()}" not in Path("/proc/net/unix").read_text()
    left = {file.name for file in named.parent.iterdir()}
    assert left == {"socket", "http.log"}, "what was served is removed"
    junit = (ran.output / "reports/junit.xml").read_text()
    assert "[[ATTACHMENT|" in junit and "services/http.log]]" in junit
