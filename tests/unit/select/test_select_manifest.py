"""Stream and OS version from the manifest of a build directory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.run.options import parse
from kola.run.selection import selection_from
from kola.select.manifest import Variables, read_variables
from kola.select.selection import Selection


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """`src/config` of the build directory `tmp_path`."""
    directory = tmp_path / "src/config"
    directory.mkdir(parents=True)
    return directory


def selection(tmp_path: Path, *argv: str, stream: str | None = None) -> Selection:
    options = parse(["--workdir", str(tmp_path), *argv])
    return selection_from(options.selection, options.subject, stream=stream)


def test_a_version_is_taken_as_written(tmp_path: Path, config: Path) -> None:
    (config / "manifest.yaml").write_text("variables:\n  stream: stable\n  osversion: 24.10\n")
    assert read_variables(tmp_path) == Variables("stable", "24.10")
    chosen = selection(tmp_path)
    assert (chosen.stream, chosen.osversion) == ("stable", "24.10")


def test_the_build_and_the_command_line_know_the_stream_better(tmp_path: Path, config: Path) -> None:
    (config / "manifest.yaml").write_text("variables: {stream: stable}\n")
    assert selection(tmp_path, stream="next").stream == "next"
    assert selection(tmp_path, "--denylist-stream", "testing", stream="next").stream == "testing"


def test_a_variant_has_a_manifest_of_its_own(tmp_path: Path, config: Path) -> None:
    (config / "manifest.yaml").write_text("variables: {stream: stable}\n")
    (config / "manifest-edge.yaml").write_text("variables: {stream: edge}\n")
    (tmp_path / "src/config.json").write_text(json.dumps({"coreos-assembler.config-variant": "edge"}))
    assert read_variables(tmp_path).stream == "edge"


@pytest.mark.parametrize("text", ["", "ref: x\n", "variables:\n", "variables: [a]\n"])
def test_a_manifest_may_say_nothing_of_it(tmp_path: Path, config: Path, text: str) -> None:
    (config / "manifest.yaml").write_text(text)
    assert read_variables(tmp_path) == Variables()


def test_there_may_be_no_manifest(tmp_path: Path) -> None:
    assert read_variables(tmp_path) == Variables()


def test_a_broken_manifest_is_named_with_its_line(tmp_path: Path, config: Path) -> None:
    (config / "manifest.yaml").write_text("a: b\nc: [\n")
    with pytest.raises(ConfigError) as error:
        read_variables(tmp_path)
    assert (error.value.file, error.value.line) == (config / "manifest.yaml", 3)


def test_an_entry_for_this_version_denies(tmp_path: Path, config: Path) -> None:
    from kola.cases.model import TestInfo
    from kola.select import select

    (config / "manifest.yaml").write_text("variables: {osversion: '24.03'}\n")
    (config / "kola-denylist.yaml").write_text(
        "- {pattern: one, osversion: ['24.03']}\n- {pattern: two, osversion: ['22.03']}\n"
    )
    chosen = select([TestInfo("one"), TestInfo("two")], selection(tmp_path))
    assert [test.name for test in chosen.tests] == ["two"]
