"""The start-up check of what kola relies on inside pytest-xdist."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from kola.plugin.xdist import internals


def run_one_test() -> None:
    print("nothing")


def test_the_installed_xdist_is_one_that_kola_can_use() -> None:
    internals.require()


def test_a_name_that_is_gone_is_said() -> None:
    missing = internals.missing_names({run_one_test: ("print", "nothing", "torun")})
    assert list(missing) == ["run_one_test: torun"]


def test_an_xdist_without_it_is_refused_with_the_versions_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xdist.remote.WorkerInteractor.run_one_test", run_one_test)
    with pytest.raises(ConfigError, match=r"lacks run_one_test: item_index") as caught:
        internals.require()
    assert internals.SUPPORTED in str(caught.value)
