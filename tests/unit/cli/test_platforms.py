"""`kola platforms`: what each platform offers, and how to get what is missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fleets import StandInHost, fleet_of

from harness.errors import InfrastructureError
from harness.machine.spec import MachineSpec
from harness.platform.base import Missing
from harness.platform.fleet import Fleet, Member
from harness.platform.hosts import HostEntry
from kola.cli import offers
from kola.cli.main import main


class Ready(StandInHost):
    note = ""
    templates = object()

    def check_host(self) -> list[Missing]:
        return [Missing("swtpm", "apt-get install swtpm", essential=False)]

    def refuses(self, spec: MachineSpec) -> str:  # type: ignore[override]
        return "x86_64 only" if spec.arch == "aarch64" else ""

    def why_not_clone(self, spec: MachineSpec) -> str:
        return ""


class Lacking(Ready):
    def check_host(self) -> list[Missing]:
        return [Missing("libvirt-python", "make libvirt")]


class Broken(Ready):
    @property
    def note(self) -> str:  # type: ignore[override]
        raise InfrastructureError("tcg: QEMU ended", cause="no-accelerator")


def answer(monkeypatch: pytest.MonkeyPatch, libvirt: Any) -> None:
    known = {"qemu": Ready(), "libvirt": libvirt}
    monkeypatch.setattr(offers, "choose_fleet", lambda name, arch, hosts: fleet_of(known[name]))


def test_a_platform_says_what_it_offers_and_what_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, Lacking())
    assert main(["platforms"]) == 0
    assert capsys.readouterr().out == (
        "qemu: ready\n"
        "  room: 3072 of 4096 MiB of memory, 2 CPUs\n"
        "  accelerator: hardware (KVM)\n"
        "  offers: clones, services for guests, host directories, NUMA\n"
        "  refuses aarch64: x86_64 only\n"
        "  missing: swtpm (optional)\n"
        "    apt-get install swtpm\n"
        "\n"
        "libvirt: not ready\n"
        "  missing: libvirt-python\n"
        "    make libvirt\n"
    )


def test_a_host_on_which_no_guest_runs_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, Broken())
    assert main(["platforms", "--json"]) == 0
    _, libvirt = json.loads(capsys.readouterr().out)
    assert (libvirt["ready"], libvirt["error"]) == (False, "tcg: QEMU ended")


def test_every_host_of_a_pool_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pool(name: str, arch: str, hosts: Sequence[HostEntry]) -> Fleet:
        if name == "qemu":
            return fleet_of(Ready())
        platforms: list[Any] = [Ready(), Lacking()]
        return Fleet([Member(entry, one) for entry, one in zip(hosts, platforms, strict=True)])

    monkeypatch.setattr(offers, "choose_fleet", pool)
    words = ["--libvirt-uri", "qemu+ssh://a/system", "--libvirt-uri", "qemu+ssh://b/system"]
    assert main(["platforms", *words]) == 0
    printed = capsys.readouterr().out
    assert "\nlibvirt on a: ready\n" in printed
    assert "\nlibvirt on b: not ready\n  missing: libvirt-python\n" in printed
