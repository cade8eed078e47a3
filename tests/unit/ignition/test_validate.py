"""Validation against the table, ours and, where it is installed, Ignition's own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from ignition_cases import CASES, Case

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig

_KNOWN_PLACES = ("/usr/bin", "/usr/lib/dracut/modules.d/30ignition", "/usr/libexec", "/usr/local/bin")


def _ignition_validate() -> str | None:
    found = shutil.which("ignition-validate")
    if found:
        return found
    tools = (Path(place, "ignition-validate") for place in _KNOWN_PLACES)
    return next((str(tool) for tool in tools if tool.exists()), None)


@cache
def _accepts(version: str) -> bool:
    return _ask_ignition({"ignition": {"version": version}}).returncode == 0


def _ask_ignition(document: object) -> subprocess.CompletedProcess[bytes]:
    tool = _ignition_validate()
    assert tool is not None
    return subprocess.run([tool, "-"], input=json.dumps(document).encode(), capture_output=True, check=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict_names_the_json_path(case: Case) -> None:
    findings = IgnitionConfig.from_dict(case.document).validate()
    assert tuple(f.path for f in findings if f.is_error) == case.errors
    assert tuple(f.path for f in findings if not f.is_error) == case.warnings


@pytest.mark.skipif(_ignition_validate() is None, reason="ignition-validate is not installed")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ignition_itself_agrees(case: Case) -> None:
    if not _accepts(case.version):
        pytest.skip(f"this ignition-validate does not know spec {case.version}")
    if case.newer:
        pytest.skip("a check that came after Ignition 2.14")
    told = _ask_ignition(case.document)
    output = told.stdout + told.stderr
    assert (told.returncode != 0) == bool(case.errors), output.decode()
    if not case.errors:
        warned = re.search(rb"^warning", output, re.MULTILINE) is not None
        assert warned == bool(case.warnings), output.decode()


def test_setuid_before_3_6_is_a_warning() -> None:
    document = {"ignition": {"version": "3.5.0"}, "storage": {"files": [{"path": "/f", "mode": 0o4755}]}}
    (finding,) = IgnitionConfig.from_dict(document).validate()
    assert str(finding).startswith("warning at $.storage.files.0.mode: ")


def test_check_raises_with_every_error_and_returns_the_warnings() -> None:
    broken = {"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "a"}, {"path": "b"}]}}
    with pytest.raises(ConfigError) as caught:
        IgnitionConfig.from_dict(broken).check(file="x.ign")
    assert "$.storage.files.0.path" in str(caught.value)
    assert "$.storage.files.1.path" in str(caught.value)
    assert str(caught.value).startswith("x.ign: ")
    odd = IgnitionConfig.from_dict({"ignition": {"version": "3.3.0"}, "storag": {}})
    assert [finding.path for finding in odd.check()] == ["$.storag"]
