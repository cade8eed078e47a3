"""Fixtures for the tests of kola and harness themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.steering import FakeQemu


@pytest.fixture
def fake_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeQemu]:
    """The stand-in for QEMU on PATH. Fails the test that leaves a process or a file behind."""
    fake = FakeQemu(tmp_path / "host")
    for name, value in fake.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield fake
    assert fake.left_behind(patience=2) == []
