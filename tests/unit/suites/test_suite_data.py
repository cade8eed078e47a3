"""The suites' data files are sound before any machine boots."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.butane import translate
from harness.machine.boot import DiskImage
from harness.machine.spec import MachineSpec
from kola.cases.catalog import find_tests, own_root
from kola.machines import request_from_markers
from testsuites.containers import ARCHIVE, prepared
from testsuites.ignition.subjects import EVERYTHING, key_of_ada
from testsuites.misc.test_network import KEYFILES

CONFIGS = sorted(own_root().rglob("*.bu"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_configs_are_free_of_warnings(path: Path) -> None:
    config = translate(path.read_text(), files_dir=None, strict=True, source=path).config
    assert config.check() == ()
    assert config.version == "3.3.0", "what the guide promises of Butane"


def test_configs_made_in_code_are_valid() -> None:
    for config in (KEYFILES, prepared(f"/bin/true {ARCHIVE}", needs="docker.service")):
        assert config.check() == ()


def test_the_key_of_the_suite_is_in_its_config() -> None:
    assert key_of_ada().public in EVERYTHING.to_json()


def test_what_shares_a_config_can_be_cloned() -> None:
    request = request_from_markers(
        MachineSpec(DiskImage(Path("image"))),
        [{"ignition": EVERYTHING, "boot": "clone"}],
        source=Path("t"),
        line=1,
    )
    assert request.ignition == EVERYTHING


def test_what_make_test_runs_is_some_of_each_suite() -> None:
    tests = find_tests(own_root()).tests
    smoke = {test.name for test in tests if "smoke" in test.tags}
    assert {"nestos.ignition.v2.users", "ostree.remote", "misc.coredump"} <= smoke
    assert not any(test.needs or test.required_tag for test in tests if test.name in smoke)
