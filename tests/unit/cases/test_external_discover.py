"""Discovery of `tests/kola` trees, as `kola list` shows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cases.external import Discovery, Root, discover, find_roots

OWN_TREE = Path(__file__).parents[2] / "external"


def tree(tmp_path: Path, files: dict[str, str]) -> Path:
    """A tests/kola below `proj`; names that end in `*` become executable."""
    top = tmp_path / "proj/tests/kola"
    for name, text in files.items():
        path = top / name.removesuffix("*")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.endswith("*") else 0o644)
    return top


def found(top: Path) -> Discovery:
    return discover([Root(top, "ext.proj")])


def names(discovery: Discovery) -> list[str]:
    return [test.info.name for test in discovery.tests]


def test_names_are_directories_joined_by_dots(tmp_path: Path) -> None:
    top = tree(tmp_path, {"b*": "", "a/c/d*": "", "a/README": ""})
    assert names(found(top)) == ["ext.proj.a.c.d", "ext.proj.b"]


def test_test_sh_alone_is_named_after_its_directory(tmp_path: Path) -> None:
    top = tree(tmp_path, {"one/test.sh*": "", "two/test.sh*": "", "two/more*": ""})
    assert names(found(top)) == ["ext.proj.one", "ext.proj.two.more", "ext.proj.two.test.sh"]


def test_test_sh_alone_at_the_top_is_named_like_the_tree(tmp_path: Path) -> None:
    assert names(found(tree(tmp_path, {"test.sh*": ""}))) == ["ext.proj"]


def test_only_the_execute_bit_for_others_makes_a_test(tmp_path: Path) -> None:
    top = tree(tmp_path, {"mine*": "#!/bin/sh\n", "ours*": "", "all*": ""})
    (top / "mine").chmod(0o744)
    (top / "ours").chmod(0o750)
    (top / "all").chmod(0o001)
    discovery = found(top)
    if os.getuid() == 0:
        assert names(discovery) == ["ext.proj.all"]
    assert [warning for warning in discovery.warnings if "mine" in warning and "chmod a+x" in warning]


def test_config_serves_its_own_directory_only_and_ign_goes_first(tmp_path: Path) -> None:
    top = tree(
        tmp_path,
        {
            "a/one*": "",
            "a/config.bu": "",
            "a/sub/two*": "",
            "b/x*": "",
            "b/config.bu": "",
            "b/config.ign": "",
        },
    )
    configs = {test.info.name: test.config for test in found(top).tests}
    assert configs == {
        "ext.proj.a.one": top / "a/config.bu",
        "ext.proj.a.sub.two": None,
        "ext.proj.b.x": top / "b/config.ign",
    }


def test_data_is_never_searched_and_may_be_a_link(tmp_path: Path) -> None:
    top = tree(
        tmp_path, {"a/x*": "", "a/data/tool*": "#!/bin/sh\n", "a/data/script": "#!/bin/sh\n", "b/y*": ""}
    )
    (top / "b/data").symlink_to("../a/data")
    discovery = found(top)
    assert [(test.info.name, test.data) for test in discovery.tests] == [
        ("ext.proj.a.x", top / "a/data"),
        ("ext.proj.b.y", top / "b/data"),
    ]
    assert discovery.warnings == ()


def test_links_to_executables_and_directories_are_followed(tmp_path: Path) -> None:
    top = tree(tmp_path, {"real/x*": ""})
    (top / "alias").symlink_to("real/x")
    (top / "again").symlink_to("real")
    assert names(found(top)) == ["ext.proj.again.x", "ext.proj.alias", "ext.proj.real.x"]


def test_a_link_to_a_directory_above_ends_the_search(tmp_path: Path) -> None:
    top = tree(tmp_path, {"a/x*": ""})
    (top / "a/up").symlink_to("..")
    discovery = found(top)
    assert names(discovery) == ["ext.proj.a.x"]
    assert "not followed" in discovery.warnings[0]


def test_one_broken_test_takes_no_other_with_it(tmp_path: Path) -> None:
    top = tree(tmp_path, {"good*": "", "bad*": "#!/bin/sh\n## kola:\n##   nonsense: 1\n"})
    discovery = found(top)
    assert names(discovery) == ["ext.proj.good"]
    (broken,) = discovery.broken
    assert (broken.name, broken.error.file, broken.error.line) == ("ext.proj.bad", top / "bad", 3)
    assert broken.info.name == "ext.proj.bad"


def test_config_fcc_breaks_the_tests_of_its_directory(tmp_path: Path) -> None:
    top = tree(
        tmp_path, {"a/one*": "", "a/two*": "", "a/config.fcc": "", "a/b/fine*": "", "empty/config.fcc": ""}
    )
    discovery = found(top)
    assert names(discovery) == ["ext.proj.a.b.fine"]
    assert [broken.name for broken in discovery.broken] == [
        "ext.proj.a.one",
        "ext.proj.a.two",
        "ext.proj.empty",
    ]
    assert "rename it to config.bu" in str(discovery.broken[0].error)


def test_a_name_given_twice_is_the_second_ones_error(tmp_path: Path) -> None:
    top = tree(tmp_path, {"a/b*": "", "a.b*": ""})
    discovery = found(top)
    assert names(discovery) == ["ext.proj.a.b"]
    (broken,) = discovery.broken
    assert broken.name == "ext.proj.a.b.duplicate"
    assert str(top / "a/b") in str(broken.error)
    assert str(top / "a.b") in str(broken.error)


@pytest.mark.parametrize("up", ["../..", "/"])
def test_a_link_to_a_directory_above_the_tree_is_not_followed(tmp_path: Path, up: str) -> None:
    top = tree(tmp_path, {"one*": ""})
    (top / "up").symlink_to(up)
    discovery = found(top)
    assert names(discovery) == ["ext.proj.one"]
    assert len(discovery.warnings) == 1


def test_a_dangling_link_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(path))

    top = tree(tmp_path, {"one*": ""})
    (top / "gone").symlink_to("nowhere")
    monkeypatch.setattr(Path, "readlink", refuse)
    (broken,) = found(top).broken
    assert "cannot be read" in str(broken.error)


def test_dangling_links_are_errors_of_their_own(tmp_path: Path) -> None:
    top = tree(tmp_path, {"a/x*": "", "b/y*": ""})
    (top / "a/gone").symlink_to("nowhere")
    (top / "a/circle").symlink_to("circle")
    (top / "b/data").symlink_to("nowhere")
    discovery = found(top)
    assert names(discovery) == ["ext.proj.a.x"]
    assert [broken.name for broken in discovery.broken] == [
        "ext.proj.a.circle",
        "ext.proj.a.gone",
        "ext.proj.b.y",
    ]


def test_order_does_not_depend_on_the_file_system(tmp_path: Path) -> None:
    top = tree(tmp_path, {f"{name}*": "" for name in ("z", "b-c", "b/a", "B", "a.z")})
    first = found(top)
    assert names(first) == sorted(names(first))
    assert first == found(top)


def test_roots_of_e_options_and_of_the_workdir(tmp_path: Path) -> None:
    for project in ("one", "work/src/config"):
        (tmp_path / project / "tests/kola").mkdir(parents=True)
    (tmp_path / "usr").mkdir()
    roots = find_roots([tmp_path / "one/../one"], workdir=tmp_path / "work", installed=tmp_path / "usr")
    assert [root.prefix for root in roots] == ["ext.one", "ext.config", "ext"]


def test_the_same_tree_named_twice_is_read_once(tmp_path: Path) -> None:
    config = tmp_path / "work/src/config"
    (config / "tests/kola").mkdir(parents=True)
    roots = find_roots([config, Path(f"{config}/")], workdir=tmp_path / "work", installed=tmp_path / "none")
    assert len(roots) == 1


def test_the_name_of_src_config_is_kept_where_it_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "nestos-config/tests/kola").mkdir(parents=True)
    (tmp_path / "work/src").mkdir(parents=True)
    (tmp_path / "work/src/config").symlink_to(tmp_path / "nestos-config")
    roots = find_roots([tmp_path / "work"], workdir=tmp_path / "work", installed=tmp_path / "none")
    assert [root.prefix for root in roots] == ["ext.config"]


def test_without_e_the_current_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proj/tests/kola").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "proj")
    (root,) = find_roots(installed=tmp_path / "none")
    assert root == Root(tmp_path / "proj/tests/kola", "ext.proj")


def test_an_e_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such directory"):
        find_roots([tmp_path / "typo"])


def test_our_own_tree_has_no_error() -> None:
    discovery = discover([Root(OWN_TREE / "tests/kola", "ext.external")])
    assert (discovery.broken, discovery.warnings) == ((), ())
    tests = {test.info.name.removeprefix("ext.external."): test for test in discovery.tests}
    assert tests["inline-json"].info.tags == {"external", "metadata"}
    assert tests["block-at-end"].info.tags == {"external", "metadata"}
    assert tests["base.inherits"].info.minutes == 7
    assert not tests["base.inherits"].info.exclusive
    assert tests["base.overrides"].info.exclusive
    assert tests["outcome.skip-on-77"].metadata.skip_on_77
    assert tests["linked"].executable.name == "linked"


def test_our_broken_tree_lists_its_healthy_test_and_names_each_fault() -> None:
    discovery = discover([Root(OWN_TREE / "broken/tests/kola", "ext.broken")])
    assert names(discovery) == ["ext.broken.healthy", "ext.broken.taken.name"]
    assert {broken.name.removeprefix("ext.broken."): broken.error.line for broken in discovery.broken} == {
        "base.one": 3,
        "base.two": 3,
        "cut-short": 4,
        "dangling": None,
        "lost-data": None,
        "no-such-date": 3,
        "not-json": 2,
        "not-yaml": 4,
        "obsolete": None,
        "taken.name.duplicate": None,
        "two-blocks": 4,
        "unknown-key": 4,
        "wrong-type": 3,
    }
    assert len(discovery.warnings) == 1


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        (os.fsdecode(b"\xb2\xe2\xca\xd4"), "%B2%E2%CA%D4", "is not UTF-8"),
        ("one\ntwo", "one%0Atwo", "has a control character"),
        ("a[1]", "a%5B1%5D", "has a character that patterns give a meaning to"),
        ("x" * 230, "x" * 100 + "…", "is longer than 200 bytes"),
    ],
    ids=["bytes", "newline", "brackets", "long"],
)
def test_a_file_name_that_cannot_name_a_test_is_one_broken_test(
    tmp_path: Path, name: str, shown: str, why: str
) -> None:
    top = tree(tmp_path, {f"{name}*": "", "good*": "", f"sub/{name}/test.sh*": ""})
    discovery = found(top)
    assert names(discovery) == ["ext.proj.good"]
    assert {one.name for one in discovery.broken} == {f"ext.proj.{shown}", f"ext.proj.sub.{shown}"}
    for broken in discovery.broken:
        message = f"{broken.name} {broken.error} {broken.path}"
        assert why in message
        assert message.isprintable() or "\n  hint" in message


def test_a_name_that_grows_too_long_by_its_directories_is_broken(tmp_path: Path) -> None:
    top = tree(tmp_path, {f"{'d' * 90}/{'e' * 90}/{'f' * 90}*": "", "good*": ""})
    assert names(found(top)) == ["ext.proj.good"]
    (broken,) = found(top).broken
    assert "longer than 200 bytes" in str(broken.error)
    assert len(broken.name) < 200


def test_a_project_of_any_name_gives_its_tests_one_that_can_be_typed(tmp_path: Path) -> None:
    project = tmp_path / "a[b] c"
    (project / "tests/kola").mkdir(parents=True)
    (root,) = find_roots([project], installed=tmp_path / "none")
    assert root.prefix == "ext.a_b_ c"


def test_a_project_whose_path_is_not_utf8_is_refused(tmp_path: Path) -> None:
    project = tmp_path / os.fsdecode(b"\xb2\xe2/proj")
    (project / "tests/kola").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        find_roots([project], installed=tmp_path / "none")
    assert str(caught.value).isprintable() or "hint" in str(caught.value)
