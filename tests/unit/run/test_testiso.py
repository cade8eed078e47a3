"""`kola testiso`: which scenarios are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.reference import live
from kola.cli.testiso import own_name, scenarios, with_media
from kola.run.options import RunOptions, parse


@pytest.mark.parametrize(
    ("words", "smoke", "tags", "patterns"),
    [
        ([], False, ("iso",), ()),
        ([], True, ("iso-smoke",), ()),
        (["--tag", "!slow"], False, ("!slow", "iso"), ()),
        (["iso-live-login.*"], False, (), ("iso-live-login.*",)),
        (["iso.live-login.bios", "iso.pxe-*"], False, (), ("iso-live-login.bios", "pxe-*")),
    ],
)
def test_selection(words: list[str], smoke: bool, tags: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    selection = scenarios(parse(words), smoke=smoke).selection
    assert (selection.tag, selection.patterns) == (tags, patterns)


def test_smoke_is_a_selection_of_its_own() -> None:
    with pytest.raises(ConfigError, match="selection of its own"):
        scenarios(parse(["iso-*"]), smoke=True)


def test_names_of_upstream_are_denied_too() -> None:
    options = scenarios(parse(["--denylist-test", "iso.iso-as-disk.*"]), smoke=False)
    assert options.selection.denylist_test == ("iso-as-disk.*",)


def test_live_options_travel() -> None:
    options = parse(["--qemu-iso", "a.iso", "--inst-insecure", "--pxe-kargs", "x=1 y"])
    assert options.subject.qemu_iso is not None
    assert (options.machine.inst_insecure, options.machine.pxe_kargs) == (True, "x=1 y")
    assert RunOptions().machine.pxe_kargs == ""


def test_without_a_build_the_reference_os_is_tested(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "is_cached", lambda: True)
    monkeypatch.setattr(live, "location", lambda: tmp_path)
    nothing_here = parse(["--workdir", "none", "--arch", "x86_64"])
    assert with_media(nothing_here).subject.directory == tmp_path
    assert str(tmp_path) in capsys.readouterr().err
    given = parse(["--qemu-iso", "a.iso"])
    assert with_media(given) == given


@pytest.mark.parametrize(("arch", "cached"), [("x86_64", False), ("aarch64", True)])
def test_there_may_be_no_reference_os_with_media(
    monkeypatch: pytest.MonkeyPatch, arch: str, cached: bool
) -> None:
    monkeypatch.setattr(live, "is_cached", lambda: cached)
    with pytest.raises(ConfigError, match="no reference OS with live media"):
        with_media(parse(["--workdir", "none", "--arch", arch]))


def test_other_names_stay() -> None:
    assert own_name("miniso-install.bios") == "miniso-install.bios"
