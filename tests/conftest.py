"""Fixtures for the tests of kola and harness themselves."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.steering import FakeQemu

from harness.reference import ensure, live


def pytest_configure() -> None:
    """Hear Ctrl-C, and have commands under test hear it, also where a shell's `&` had it ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The build root of the reference OS, built if need be; `KOLA_REFERENCE` names another."""
    named = os.environ.get("KOLA_REFERENCE")
    return Path(named) if named else ensure(progress=print)


@pytest.fixture(scope="session")
def live_reference() -> Path:
    """Return the build root of the reference OS with live artifacts, built if need be."""
    return live.ensure(progress=print)


@pytest.fixture
def fake_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeQemu]:
    """The stand-in for QEMU on PATH. Fails the test that leaves a process or a file behind."""
    fake = FakeQemu(tmp_path / "host")
    for name, value in fake.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield fake
    assert fake.left_behind(patience=2) == []
