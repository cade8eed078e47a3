"""Options as one frozen value, and how they are typed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.machine.spec import HostDirectory
from kola.report.properties import Properties, Typed, read_typed, write_properties
from kola.run.options import lasting, parse, typed, words


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shown").mkdir()
    return tmp_path


LINE = (
    "-b nestos --also-distro fcos --no-net -E config -E /srv/podman --workdir build -j 2 --qemu-image a.qcow2"
    " --qemu-memory 3072 --no-qemu-swtpm --qemu-bind-ro shown,/b --qemu-arg=-smbios --pytest-args=-x"
    " --rerun --allow-rerun-success tags=a,b --qemu-firmware uefi"
)


def test_only_what_is_not_the_default_is_kept_and_no_names() -> None:
    assert typed(parse(["--parallel", "1", "basic", "ext.*"])) == {}


def test_options_survive_the_file_and_another_directory(
    here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = parse(LINE.split())
    assert first.machine.qemu_bind_ro == (HostDirectory(here / "shown", "/b"),)
    write_properties(
        Properties(cmdline=[], platform="qemu", distro="nestos", options=lasting(first), tests=["a"]),
        here / "properties.json",
    )
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    earlier = read_typed(here)
    assert earlier.tests == ("a",)
    assert parse(words(earlier.options)) == first


def test_every_value_is_typed_with_an_equals_sign() -> None:
    again = words(typed(parse(["--pytest-args=-x", "--qemu-arg=-smbios", "--no-net", "--qemu-swtpm=false"])))
    assert sorted(again) == ["--no-net", "--pytest-args=-x", "--qemu-arg=-smbios", "--qemu-swtpm=false"]


def test_what_the_current_directory_stood_for_is_said(here: Path) -> None:
    assert lasting(parse([])) == {"workdir": "none"}
    (here / "tests/kola").mkdir(parents=True)
    (here / "src/config").mkdir(parents=True)
    assert lasting(parse([])) == {"workdir": str(here), "exttest": [str(here)]}
    assert lasting(parse(["--workdir", "none", "-E", "x"])) == {
        "workdir": "none",
        "exttest": [str(here / "x")],
    }


@pytest.mark.parametrize("content", [None, "{", "[]", json.dumps({"cmdline": []}), '{"options": 3}'])
def test_another_kolas_properties_say_nothing(here: Path, content: str | None) -> None:
    if content is not None:
        (here / "properties.json").write_text(content)
    assert read_typed(here) == Typed()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tag=--"], "--tag: '--' is no value"),
        (["-E--"], "'--' is no value"),
        (["--qemu-memory=" + "9" * 5000], "from 64 to"),
        (["--qemu-memory=-5"], "from 64 to"),
        (["--qemu-memory=63"], "from 64 to"),
        (["--qemu-cpus=0"], "from 1 to"),
        (["--qemu-cpus=99999"], "from 1 to"),
        (["--multiply=-1"], "from 1 to"),
        (["--multiply=999999999"], "from 1 to"),
        (["--extend-timeout-percentage=-100"], "from 0 to"),
        (["--extend-timeout-percentage=" + "9" * 30], "from 0 to"),
        (["--parallel=many"], "auto"),
        (["--parallel=-1"], "from 1 to"),
        (["--parallel=1000000"], "from 1 to"),
        (["--qemu-size=" + "9" * 5000], "not a size"),
        (["--qemu-size=0"], "no size of a disk"),
        (["--tapfile", ""], "the path is empty"),
        (["--output-dir", "x" * 5000], "too long"),
        (["--qemu-image", "y/" * 3000], "too long"),
        (["--qemu-bind-ro", "gone"], "no directory"),
        (["--qemu-bind-ro", "shown,relative"], "from the root on"),
        (["--pytest-args='"], "No closing quotation"),
        (["--qemu-firmware=coreboot"], "coreboot"),
        (["--allow-rerun-success=needs-internet"], "write tags="),
        (["--no-net=maybe"], "takes true or false, not 'maybe'"),
        (["--paralel", "2"], "unknown option --paralel; did you mean --parallel?"),
        (["--debug-systemd", "NAME"], "unknown option --debug-systemd"),
        (["--out", "x"], "unknown option --out"),
        (["--boot=warm"], "--boot"),
    ],
)
def test_what_means_nothing_is_refused_in_one_short_sentence(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(words)
    assert said in caught.value.message
    assert len(str(caught.value)) < 500
    assert "usage: kola run [OPTION…] [PATTERN…]" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "value"),
    [("--no-net", True), ("--no-net=true", True), ("--no-net=1", True), ("--no-net=false", False)],
)
def test_a_boolean_may_be_spelled_out(word: str, value: bool) -> None:
    assert parse([word]).selection.no_net is value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("--qemu-swtpm", True),
        ("--qemu-swtpm=F", False),
        ("--no-qemu-swtpm", False),
        ("--no-qemu-swtpm=false", True),
    ],
)
def test_a_boolean_that_is_on_can_be_turned_off(word: str, value: bool) -> None:
    assert parse([word]).machine.qemu_swtpm is value


def test_options_may_stand_between_patterns() -> None:
    options = parse(["a", "--no-net", "b", "-j", "2", "c"])
    assert (options.selection.patterns, options.parallel) == (("a", "b", "c"), 2)
