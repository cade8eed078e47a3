"""The fate of a template whose clone fails."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from plan_samples import a_plan

from harness.errors import InfrastructureError
from kola.machines import MachinePool


@pytest.mark.parametrize(
    ("cause", "stays"),
    [
        pytest.param("no-resume", False, id="it-does-not-resume"),
        pytest.param("host-lost", True, id="its-host-is-lost"),
    ],
)
def test_a_template_is_discarded_when_it_is_to_blame(cause: str, stays: bool, tmp_path: Path) -> None:
    discarded: list[Any] = []
    templates = SimpleNamespace(discard=discarded.append)
    platform: Any = SimpleNamespace(templates=templates, scale=1.0)
    owner: Any = SimpleNamespace(deadline=None, publish=lambda *_, **__: None)
    template: Any = "the template"
    # The loss of its host goes on: the test has its machine on another one.
    seen = pytest.raises(InfrastructureError) if stays else contextlib.nullcontext()
    with seen, MachinePool(a_plan(tmp_path), platform)._or_cold(template, owner):
        raise InfrastructureError("the clone failed", cause=cause)
    assert discarded == ([] if stays else [template])
