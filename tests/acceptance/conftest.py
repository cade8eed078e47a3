"""Fixtures for tests that use machines themselves, and for those that run kola."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk
from fakes.checkout import Checkout
from fakes.lab import Lab, open_descriptors
from fakes.steering import FakeQemu

from harness.errors import DeadlineExceeded
from harness.util.deadline import Deadline


@pytest.fixture
def lab(fake_qemu: FakeQemu, tmp_path: Path) -> Iterator[Lab]:
    """Starts machines. Fails the test after which more descriptors are open than before."""
    warm_up()
    before = open_descriptors()
    lab = Lab(fake_qemu, tmp_path / "results")
    yield lab
    lab.close()
    assert grown_since(before) == {}


@pytest.fixture
def checkout(fake_qemu: FakeQemu, tmp_path: Path) -> Checkout:
    """A place to run `kola run` in."""
    return Checkout(fake_qemu, tmp_path / "checkout")


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One cache for all tests of a file, so that a template is made once."""
    root = tmp_path_factory.mktemp("desk")
    return Desk(Checkout(FakeQemu(root / "host"), root / "checkout"))


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    """Fails the test that leaves a process or a file behind once all machines are stopped."""
    shared_desk.checkout.fake.plan()
    yield shared_desk
    shared_desk.stop_all()
    assert shared_desk.ps() == []
    assert shared_desk.left() == []


def warm_up() -> None:
    """Whatever is opened once for all time is opened before anything is counted."""
    from harness.util.process import spawn

    spawn(["true"], name="warm-up").wait(5)


def grown_since(before: dict[str, str]) -> dict[str, str]:
    """Descriptors opened since, once threads that are ending have had their time."""

    def grown() -> dict[str, str]:
        gc.collect()
        now = open_descriptors()
        return {number: target for number, target in now.items() if before.get(number) != target}

    try:
        Deadline(3).poll(lambda: not grown(), step="waiting for descriptors to be closed", interval=0.05)
    except DeadlineExceeded:
        return grown()
    return {}
