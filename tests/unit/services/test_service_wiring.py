"""Services in QEMU's command line, in guests' names, and in templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig, additions
from harness.machine.boot import DiskImage
from harness.machine.spec import GuestForward, MachineSpec, Reachable
from harness.platform.parts import services as words_of_services
from harness.platform.parts.accel import Accelerator
from harness.platform.qemu.freezer import QemuFreezer
from harness.platform.templates import Recipe
from harness.services import Services

SPEC = MachineSpec(DiskImage(Path("/images/disk.qcow2")))


def test_a_machine_is_told_of_all_that_runs(services: Services) -> None:
    first, second = services.http(), services.http()
    secure = services.https()
    reachable = services.reachable()
    assert reachable.forwards == (
        GuestForward("10.0.2.100", 80, first.listener.socket),
        GuestForward("10.0.2.101", 80, second.listener.socket),
        GuestForward("10.0.2.110", 443, secure.listener.socket),
    )
    assert reachable.hosts == (
        ("10.0.2.100", "http.kola.test"),
        ("10.0.2.101", "http2.kola.test"),
        ("10.0.2.110", "https.kola.test"),
    )
    assert second.url("a") == "http://10.0.2.101/a"
    assert second.url("a", by_name=True) == "http://http2.kola.test/a"


def test_two_tests_never_share_a_socket(tmp_path: Path) -> None:
    one, two = Services(tmp_path / "one"), Services(tmp_path / "two")
    assert one.http().listener.socket != two.http().listener.socket
    one.close()
    two.close()


def test_a_service_too_late_is_refused(services: Services) -> None:
    services.http()
    services.reachable()
    for start in (services.http, services.registry, services.rpm_repository, lambda: services.tftp({})):
        with pytest.raises(ConfigError, match=r"after the machine.*\n.*new_machine"):
            start()


def test_a_machine_without_network_reaches_nothing() -> None:
    with pytest.raises(ConfigError, match="reaches no services"):
        replace(SPEC, network=False, reachable=Reachable(tftp=Path("/srv")))


def test_qemu_is_told_and_stays_restricted() -> None:
    forwards = (GuestForward("10.0.2.100", 80, "kola-http-1"),)
    spec = replace(SPEC, reachable=Reachable(forwards, tftp=Path("/a,b")))
    assert words_of_services.words(spec) == (
        ",guestfwd=tcp:10.0.2.100:80-cmd:socat -lf /dev/null -t 60 - ABSTRACT-CONNECT:kola-http-1,tftp=/a,,b"
    )
    assert words_of_services.words(SPEC) == ""


def test_without_the_connector_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    spec = replace(SPEC, reachable=Reachable((GuestForward("10.0.2.100", 80, "kola-http-1"),)))
    with pytest.raises(ConfigError, match="apt-get install socat"):
        words_of_services.words(spec)


def test_a_template_is_the_same_whatever_its_clones_reach(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "qemu"
    binary.touch()
    monkeypatch.setattr("harness.platform.qemu.freezer.find_qemu", lambda arch: binary)
    freezer = QemuFreezer(Accelerator("tcg", "max", 1.0))
    plain, serving = (
        Recipe(spec, "image", "nest", lambda access: IgnitionConfig.empty())
        for spec in (SPEC, replace(SPEC, reachable=Reachable(tftp=tmp_path)))
    )
    assert plain.key(freezer) == serving.key(freezer)
    assert serving.machine == SPEC


def test_names_are_added_to_what_a_config_writes() -> None:
    own = additions.kola_files([additions.GuestFile(path="/etc/hosts", content="127.0.0.1 localhost\n")])
    whole = own.merge(additions.host_names([("10.0.2.100", "http.kola.test")])).to_dict()
    (entry,) = whole["storage"]["files"]
    assert entry["contents"]["source"] == "data:,127.0.0.1%20localhost%0A"
    assert [part["source"] for part in entry["append"]] == ["data:,10.0.2.100%20http.kola.test%0A"]
    assert IgnitionConfig.from_dict(whole).validate() == ()


def test_ignition_is_told_of_the_authority(services: Services) -> None:
    config = IgnitionConfig.from_dict(services.trust)
    assert config.validate() == ()
