"""`kola facts show|diff|accept`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cli import facts as command
from kola.facts.model import FILE, Facts

ONE = Facts("1", "stable", {"accounts": {"root": "uid 0"}, "packages": {"bash": "5.1"}})
TWO = Facts("2", "stable", {"accounts": {"root": "uid 0", "toor": "uid 0"}, "packages": {"bash": "5.2"}})


def kola_facts(*words: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A build directory with the builds 1 and 2, without artifacts."""
    builds = []
    for name in ("2", "1"):
        home = tmp_path / "builds" / name / "x86_64"
        home.mkdir(parents=True)
        (home / "meta.json").write_text(json.dumps({"buildid": name, "name": "nestos", "images": {}}))
        builds.append({"id": name, "arches": ["x86_64"]})
    index = {"schema-version": "1.0.0", "builds": builds, "timestamp": "2025-09-01T00:00:00Z"}
    (tmp_path / "builds/builds.json").write_text(json.dumps(index))
    return tmp_path


def test_accepted_facts_are_found_by_the_builds_id(
    workdir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for facts in (ONE, TWO):
        (tmp_path / facts.build).mkdir()
        facts.write(tmp_path / facts.build / FILE)
        assert kola_facts("--workdir", workdir, "accept", tmp_path / facts.build) == 0
    capsys.readouterr()
    assert kola_facts("--workdir", workdir, "diff", "1", "2") == 1
    assert capsys.readouterr().out.splitlines() == [
        "failure: accounts: toor: is new: uid 0",
        "notice: packages: bash: 5.1 → 5.2",
        "2 differences between 1 and 2, 1 of them failures",
    ]
    assert kola_facts("--workdir", workdir, "show", "1", "--category", "accounts") == 0
    assert json.loads(capsys.readouterr().out) == {"accounts": {"root": "uid 0"}}


def test_an_approved_difference_is_no_failure(workdir: Path, tmp_path: Path) -> None:
    (workdir / "src/config").mkdir(parents=True)
    (workdir / "src/config/kola-facts.yaml").write_text(
        "- {category: accounts, item: toor, reason: wanted, approved: 2025-09-01}\n"
    )
    for facts in (ONE, TWO):
        facts.write(tmp_path / f"{facts.build}.gz")
    assert kola_facts("--workdir", workdir, "diff", tmp_path / "1.gz", tmp_path / "2.gz") == 0


@pytest.mark.parametrize("words", [("show", "1"), ("diff", "1", "2"), ("show", "no-such-build")])
def test_a_build_without_facts_is_named(workdir: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        kola_facts("--workdir", workdir, *words)


def test_a_category_there_is_not_is_told_with_those_there_are(tmp_path: Path) -> None:
    ONE.write(tmp_path / "one.gz")
    with pytest.raises(ConfigError) as refused:
        kola_facts("show", tmp_path / "one.gz", "--category", "account")
    assert refused.value.hint == "there are accounts, packages"
