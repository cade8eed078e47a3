"""`kola platforms`: what each platform offers, and how to get what is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.errors import InfrastructureError
from harness.machine.spec import MachineSpec
from harness.platform.base import Missing
from kola.cli import offers
from kola.cli.main import main


class Ready:
    note = ""
    templates = object()

    def check_host(self) -> list[Missing]:
        return [Missing("swtpm", "apt-get install swtpm", essential=False)]

    def refuses(self, spec: MachineSpec) -> str:
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
    monkeypatch.setattr(offers, "choose", lambda name, arch, uri: known[name])


def test_a_platform_says_what_it_offers_and_what_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, Lacking())
    assert main(["platforms"]) == 0
    assert capsys.readouterr().out == (
        "qemu: ready\n"
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
