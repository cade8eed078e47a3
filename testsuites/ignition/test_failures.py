"""A config that cannot be applied stops the boot in the initramfs, and says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from testsuites.ignition.refusals import NewMachine, reason

pytestmark = pytest.mark.kola(tags=["ignition", "failure"])


def file(**fields: Any) -> bytes:
    document = {"ignition": {"version": "3.3.0"}, "storage": {"files": [fields]}}
    return json.dumps(document).encode()


@pytest.mark.kola(name="coreos.ignition.failure")
def test_what_cannot_be_done(new_machine: NewMachine) -> None:
    """A file that exists is not replaced unless the config says so: Ignition gives up."""
    why = reason(new_machine, file(path="/etc/hosts", contents={"source": "data:,mine"}))
    assert "/etc/hosts" in why


@pytest.mark.kola(guide="7.4.3#wrong-hash")
def test_wrong_hash(new_machine: NewMachine) -> None:
    """Content that does not match the hash beside it is not written, and nothing else is either."""
    contents = {"source": "data:,x", "verification": {"hash": "sha512-" + "0" * 128}}
    why = reason(new_machine, file(path="/etc/kola", contents=contents))
    assert "hash" in why.lower()


@pytest.mark.kola()
def test_config_of_the_future(new_machine: NewMachine) -> None:
    """A config of a version this Ignition does not know is refused, not half understood."""
    why = reason(new_machine, b'{"ignition": {"version": "3.99.0"}}')
    assert "version" in why.lower()


@pytest.mark.kola()
def test_malformed_config(new_machine: NewMachine) -> None:
    """A config that is not JSON is refused."""
    why = reason(new_machine, b'{"ignition": {"version": "3.3.0"}, "storage": [}')
    assert "config" in why.lower()
