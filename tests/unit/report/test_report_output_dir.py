"""The output directory: where it is made, and that nothing of the user's is ever erased."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.report import directory_of_test
from kola.run.output import prepare

NOW = datetime(2026, 8, 1, 12, 5)


@pytest.fixture
def cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.getpid", lambda: 4711)
    return tmp_path


def test_without_a_build_directory_it_is_below_kola_temp(cwd: Path) -> None:
    output = prepare(platform="qemu", now=NOW)
    assert output.path == cwd / "_kola_temp/qemu-2026-08-01-1205-4711"
    assert output.reports.is_dir()
    assert (cwd / "_kola_temp/qemu-latest").resolve() == output.path


def test_in_a_build_directory_it_is_below_tmp(cwd: Path) -> None:
    (cwd / "work/builds").mkdir(parents=True)
    assert prepare(platform="qemu", workdir=cwd / "work", now=NOW).path.parent == cwd / "work/tmp/kola"
    (cwd / "plain").mkdir()
    assert prepare(platform="qemu", workdir=cwd / "plain", now=NOW).path.parent == cwd / "_kola_temp"


def test_the_latest_link_follows_and_no_earlier_run_is_lost(cwd: Path) -> None:
    first = prepare(platform="qemu", now=NOW)
    (first.path / "kept").touch()
    second = prepare(platform="qemu", now=NOW)
    assert (first.path / "kept").exists()
    assert second.path != first.path
    assert (cwd / "_kola_temp/qemu-latest").resolve() == second.path
    assert sorted(p.name for p in (cwd / "_kola_temp").iterdir()) == sorted(
        ["qemu-latest", first.path.name, second.path.name]
    )


def test_a_directory_called_latest_is_not_replaced(cwd: Path) -> None:
    (cwd / "_kola_temp/qemu-latest").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not a symlink"):
        prepare(platform="qemu", now=NOW)


def test_an_explicit_directory_gets_no_link(cwd: Path) -> None:
    assert prepare(platform="qemu", explicit=Path("a/b")).path == cwd / "a/b"
    assert [p.name for p in (cwd / "a").iterdir()] == ["b"]


def test_an_empty_directory_is_taken(cwd: Path) -> None:
    (cwd / "out").mkdir()
    assert prepare(platform="qemu", explicit=cwd / "out").reports.is_dir()


@pytest.mark.parametrize(
    "name", ["thesis.tex", "reports/mine.txt", "properties.json", "test.tap", ".git/HEAD"]
)
def test_what_is_no_output_of_ours_is_refused_and_kept(cwd: Path, name: str) -> None:
    file = cwd / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("precious")
    with pytest.raises(ConfigError, match="nothing was removed") as caught:
        prepare(platform="qemu", explicit=cwd / "out")
    assert caught.value.hint
    assert file.read_text() == "precious"


@pytest.mark.parametrize("precious", [".git", "builds"])
def test_a_marker_does_not_give_away_a_checkout_or_a_build_directory(cwd: Path, precious: str) -> None:
    (cwd / "out" / precious).mkdir(parents=True)
    (cwd / "out/.harness_temp").touch()
    with pytest.raises(ConfigError, match="nothing was removed"):
        prepare(platform="qemu", explicit=cwd / "out")
    assert (cwd / "out" / precious).is_dir()


def test_a_former_output_is_erased_but_not_what_it_links_to(cwd: Path) -> None:
    (cwd / "elsewhere").mkdir()
    (cwd / "elsewhere/file").touch()
    output = prepare(platform="qemu", explicit=cwd / "out")
    (output.path / "basic").mkdir()
    (output.path / "basic/console.txt").touch()
    (output.path / "link").symlink_to(cwd / "elsewhere")
    prepare(platform="qemu", explicit=cwd / "out")
    assert sorted(p.name for p in output.path.iterdir()) == [".harness_temp", "reports"]
    assert (cwd / "elsewhere/file").exists()


def test_an_output_of_the_go_kola_is_known_by_its_files(cwd: Path) -> None:
    (cwd / "out/reports").mkdir(parents=True)
    (cwd / "out/properties.json").touch()
    prepare(platform="qemu", explicit=cwd / "out")
    assert not (cwd / "out/properties.json").exists()


def test_a_file_in_the_way_is_an_error_of_the_user(cwd: Path) -> None:
    (cwd / "out").touch()
    with pytest.raises(ConfigError, match="is a file"):
        prepare(platform="qemu", explicit=cwd / "out")
    with pytest.raises(ConfigError, match="cannot be made: Not a directory"):
        prepare(platform="qemu", explicit=cwd / "out/below")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "..",
        ".",
        "",
        "/",
        "\0",
        "a\nb",
        "a,b=c",
        "reports",
        "rerun/x",
        ".harness_temp",
        "x" * 500,
        "中" * 300,
        "-rf",
    ],
)
def test_no_name_leads_outside_or_hides_a_file_of_ours(cwd: Path, name: str) -> None:
    output = prepare(platform="qemu", explicit=cwd / "out")
    made = output.path / directory_of_test(name)
    made.mkdir(parents=True)
    assert made.resolve() == made
    assert output.path in made.parents
    assert made.relative_to(output.path).parts[0] not in {"reports", "rerun", ".harness_temp"}
    assert "," not in str(made.relative_to(output.path))


def test_a_good_name_is_its_directory_and_changed_ones_never_meet() -> None:
    assert str(directory_of_test("non-exclusive-test-bucket-0/ext.config.files")) == (
        "non-exclusive-test-bucket-0/ext.config.files"
    )
    assert str(directory_of_test("test_x[a-1]")) == "test_x[a-1]"
    assert len({directory_of_test(name) for name in ("a b", "a_b", "a\tb", "a,b", "a//b", "a/b")}) == 6
