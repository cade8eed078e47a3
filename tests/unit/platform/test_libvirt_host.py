"""The daemon as a host of machines. Stand-ins for libvirt: it is not needed here."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from harness.platform.libvirt import host
from harness.platform.libvirt.platform import LibvirtPlatform

CAPABILITIES = (
    "<capabilities><guest><arch name='x86_64'><emulator>/usr/bin/qemu-system-x86_64</emulator></arch></guest>"
    "</capabilities>"
)


def daemon(version: int) -> SimpleNamespace:
    return SimpleNamespace(getCapabilities=lambda: CAPABILITIES, getLibVersion=lambda: version)


@pytest.mark.parametrize(
    ("version", "lacks"), [(6_002_000, ["libvirt 9.0.0"]), (9_000_000, []), (12_008_000, [])]
)
def test_a_daemon_that_is_too_old_is_missing(
    version: int, lacks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("libvirt", "libvirt_qemu"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(libvirtError=RuntimeError))
    monkeypatch.setattr(host, "reap", lambda *_: [])
    monkeypatch.setattr(host, "connect", lambda uri: SimpleNamespace(handle=daemon(version)))
    missing = LibvirtPlatform().check_host()
    found = {one.name: one.hint for one in missing if one.name.startswith("libvirt")}
    assert list(found) == lacks
    assert all("6.2.0" in hint for hint in found.values())
