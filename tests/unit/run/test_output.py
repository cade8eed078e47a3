"""Which directories a run takes for its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.report.layout import MARKER, REPORTS
from kola.run.output import prepare


def test_a_directory_of_dated_outputs_is_taken(tmp_path: Path) -> None:
    """`kola run` leaves tmp/kola/qemu-DATE in a build directory; `nosa kola run` then writes to tmp/kola."""
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds/builds.json").write_text("{}")
    dated = prepare(platform="qemu", workdir=tmp_path)
    assert dated.path.parent == tmp_path / "tmp/kola"
    taken = prepare(platform="qemu", explicit=tmp_path / "tmp/kola")
    assert not dated.path.exists()
    assert sorted(entry.name for entry in taken.path.iterdir()) == [MARKER, REPORTS]


@pytest.mark.parametrize("foreign", ["file", "directory", "link"])
def test_one_thing_of_somebody_else_keeps_it(tmp_path: Path, foreign: str) -> None:
    base = tmp_path / "kola"
    dated = prepare(platform="qemu", explicit=base / "qemu-1")
    (tmp_path / "elsewhere").mkdir()
    {
        "file": (base / "notes").touch,
        "directory": (base / "mine").mkdir,
        "link": lambda: (base / "mine").symlink_to(tmp_path / "elsewhere"),
    }[foreign]()
    with pytest.raises(ConfigError, match="nothing was removed"):
        prepare(platform="qemu", explicit=base)
    assert dated.reports.is_dir()


def test_links_alone_are_no_output(tmp_path: Path) -> None:
    base = tmp_path / "kola"
    base.mkdir()
    (base / "a").symlink_to("b")
    with pytest.raises(ConfigError, match="nothing was removed"):
        prepare(platform="qemu", explicit=base)
