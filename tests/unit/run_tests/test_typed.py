"""What was typed for a run, and how it is typed again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from kola.report.properties import Properties, read_options, write_properties
from kola.run.arguments import add_command_arguments
from kola.run.typed import recall, typed_options, words


def parsed(*line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_command_arguments(parser)
    return parser.parse_args(line)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_only_what_is_not_the_default_is_kept_and_no_names() -> None:
    assert typed_options(parsed("--parallel", "1", "basic", "ext.*")) == {}


LINE = (
    "-b nestos --also-distro fcos --no-net -E config -E /srv/podman --workdir build -j 2 --qemu-image a.qcow2"
    " --qemu-memory 3072 --no-qemu-swtpm --qemu-bind-ro /a,/b"
)


def test_it_survives_the_file_and_is_what_was_typed(here: Path) -> None:
    options = typed_options(parsed(*LINE.split(), "basic"))
    write_properties(
        Properties(cmdline=[], platform="qemu", distro="nestos", options=options), here / "properties.json"
    )
    again = parsed()
    recall(again, read_options(here))
    first = parsed(*LINE.split())
    assert again.exttest == [here / "config", Path("/srv/podman")]
    assert again.workdir == str(here / "build")
    same = {"distro", "also_distro", "no_net", "parallel", "qemu_memory", "qemu_swtpm", "qemu_bind_ro"}
    assert {name: getattr(again, name) for name in same} == {name: getattr(first, name) for name in same}


def test_it_is_typed_again_in_few_words() -> None:
    assert parsed(*words(typed_options(parsed(*LINE.split())))) == parsed(*LINE.split())
    assert words(typed_options(parsed("-E", "config", "--workdir", "none", "--no-net"))) == [
        *("--no-net", "-E", "config", "--workdir", "none")
    ]
    assert words({"no_net": True, "tag": ["slow"]}, without={"tag"}) == ["--no-net"]


def test_what_is_typed_anew_goes_before(here: Path) -> None:
    args = parsed("-E", "other", "-j", "2")
    recall(args, {"exttest": [str(here / "config")], "parallel": "4", "no_net": True, "unheard_of": 1})
    assert (args.exttest, args.parallel, args.no_net) == ([Path("other")], "2", True)
    assert not hasattr(args, "unheard_of")


@pytest.mark.parametrize("content", [None, "{", "[]", json.dumps({"cmdline": []}), '{"options": 3}'])
def test_another_kolas_properties_say_nothing(here: Path, content: str | None) -> None:
    if content is not None:
        (here / "properties.json").write_text(content)
    assert read_options(here) == {}
