"""Merging as Ignition merges: each rule by example, the laws by properties."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ignition import IgnitionConfig


def config(version: str = "3.3.0", **sections: Any) -> IgnitionConfig:
    head = {"version": version, **sections.pop("ignition", {})}
    return IgnitionConfig.from_dict({"ignition": head, **sections})


def merged(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    return config(**parent).merge(config(**child)).to_dict()


def test_users_merge_by_name_and_keys_form_a_union() -> None:
    parent = {"users": [{"name": "nest", "uid": 1, "sshAuthorizedKeys": ["a", "b"], "groups": ["wheel"]}]}
    child = {"users": [{"name": "nest", "sshAuthorizedKeys": ["b", "c"]}, {"name": "other"}]}
    assert merged({"passwd": parent}, {"passwd": child})["passwd"]["users"] == [
        {"name": "nest", "uid": 1, "sshAuthorizedKeys": ["a", "b", "c"], "groups": ["wheel"]},
        {"name": "other"},
    ]


def test_files_merge_by_path_and_appends_add_up() -> None:
    parent = {"files": [{"path": "/f", "mode": 420, "append": [{"source": "data:,a"}]}]}
    child = {"files": [{"path": "/f", "mode": 384, "append": [{"source": "data:,a"}]}]}
    assert merged({"storage": parent}, {"storage": child})["storage"]["files"] == [
        {"path": "/f", "mode": 384, "append": [{"source": "data:,a"}, {"source": "data:,a"}]}
    ]


def test_a_link_replaces_a_file_of_the_same_path() -> None:
    parent = {"files": [{"path": "/f"}, {"path": "/g"}], "directories": [{"path": "/d"}]}
    child = {"links": [{"path": "/f", "target": "/x"}], "files": [{"path": "/d"}]}
    assert merged({"storage": parent}, {"storage": child})["storage"] == {
        "files": [{"path": "/g"}, {"path": "/d"}],
        "links": [{"path": "/f", "target": "/x"}],
    }


def test_kernel_arguments_move_between_their_lists() -> None:
    parent = {"shouldExist": ["a", "b"], "shouldNotExist": ["c"]}
    child = {"shouldExist": ["c", "d"], "shouldNotExist": ["a"]}
    assert merged({"kernelArguments": parent}, {"kernelArguments": child})["kernelArguments"] == {
        "shouldExist": ["b", "c", "d"],
        "shouldNotExist": ["a"],
    }


def test_partitions_merge_by_number_then_by_label() -> None:
    parent = {"disks": [{"device": "/d", "partitions": [{"number": 1, "label": "a"}, {"label": "b"}]}]}
    child = {
        "disks": [{"device": "/d", "partitions": [{"number": 1, "sizeMiB": 5}, {"label": "b", "sizeMiB": 6}]}]
    }
    assert merged({"storage": parent}, {"storage": child})["storage"]["disks"][0]["partitions"] == [
        {"number": 1, "label": "a", "sizeMiB": 5},
        {"label": "b", "sizeMiB": 6},
    ]


def test_units_and_dropins_merge_by_name() -> None:
    parent = {
        "units": [{"name": "a.service", "contents": "x", "dropins": [{"name": "1.conf", "contents": "p"}]}]
    }
    child = {
        "units": [{"name": "a.service", "enabled": True, "dropins": [{"name": "1.conf", "contents": "c"}]}]
    }
    assert merged({"systemd": parent}, {"systemd": child})["systemd"]["units"] == [
        {
            "name": "a.service",
            "contents": "x",
            "enabled": True,
            "dropins": [{"name": "1.conf", "contents": "c"}],
        }
    ]


def test_options_add_up_but_open_options_are_a_set() -> None:
    parent = {"luks": [{"name": "a", "options": ["-x"], "openOptions": ["-y"]}]}
    result = merged({"version": "3.4.0", "storage": parent}, {"version": "3.4.0", "storage": parent})
    assert result["storage"]["luks"] == [{"name": "a", "options": ["-x", "-x"], "openOptions": ["-y"]}]


def test_a_header_without_value_removes_the_parents() -> None:
    def one(*headers: dict[str, str]) -> dict[str, Any]:
        contents = {"source": "http://h/", "httpHeaders": list(headers)}
        return {"storage": {"files": [{"path": "/f", "contents": contents}]}}

    parent = one({"name": "A", "value": "1"}, {"name": "B", "value": "2"})
    result = merged(parent, one({"name": "A"}, {"name": "B", "value": "3"}))
    assert result["storage"]["files"][0]["contents"]["httpHeaders"] == [{"name": "B", "value": "3"}]


def test_the_result_has_the_higher_version() -> None:
    assert config("3.0.0").merge(config("3.4.0")).version == "3.4.0"
    assert config("3.4.0").merge(config("3.0.0"), config("3.5.0")).version == "3.5.0"


def test_lifting_never_grants_setuid() -> None:
    old = config("3.5.0", storage={"files": [{"path": "/f", "mode": 0o4755}]})
    assert old.merge(config("3.6.0")).to_dict()["storage"]["files"][0]["mode"] == 0o755
    assert old.merge(config("3.5.0")).to_dict()["storage"]["files"][0]["mode"] == 0o4755


def test_a_key_ignored_in_an_old_version_does_not_come_alive() -> None:
    old = config("3.3.0", storage={"luks": [{"name": "a", "discard": True}]})
    result = old.merge(config("3.4.0"))
    assert "discard" not in result.to_dict()["storage"]["luks"][0]
    assert result.validate()[0].path == "$.storage.luks.0.discard"


names = st.sampled_from(["a", "b", "c"])
texts = st.sampled_from(["", "x", "y"])


def uniquely(items: st.SearchStrategy[dict[str, Any]], key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(items, max_size=3, unique_by=lambda item: str(item[key]))


def optional(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


users = st.fixed_dictionaries(
    {"name": names},
    optional={
        "gecos": texts,
        "uid": st.integers(0, 9),
        "sshAuthorizedKeys": st.lists(names, max_size=3, unique=True),
    },
)
units = st.fixed_dictionaries({"name": names}, optional={"contents": texts, "enabled": st.booleans()})
files = st.fixed_dictionaries(
    {"path": names}, optional={"mode": st.integers(0, 511), "overwrite": st.booleans()}
)


@st.composite
def configs(draw: st.DrawFn) -> IgnitionConfig:
    nodes = draw(uniquely(files, "path"))
    kinds = [draw(st.sampled_from(["files", "directories"])) for _ in nodes]
    storage = {
        kind: [n for n, k in zip(nodes, kinds, strict=True) if k == kind] for kind in ("files", "directories")
    }
    arguments = draw(st.lists(names, max_size=3, unique=True))
    return config(
        version=draw(st.sampled_from(["3.3.0", "3.4.0", "3.5.0"])),
        passwd={"users": draw(uniquely(users, "name"))},
        systemd={"units": draw(uniquely(units, "name"))},
        storage=storage,
        kernelArguments={"shouldExist": arguments[:1], "shouldNotExist": arguments[1:]},
    )


@settings(max_examples=60, deadline=None)
@given(configs())
def test_the_empty_config_changes_nothing(one: IgnitionConfig) -> None:
    empty = IgnitionConfig.empty()
    assert one.merge(empty) == one
    assert empty.merge(one) == one


@settings(max_examples=60, deadline=None)
@given(configs())
def test_merging_with_oneself_changes_nothing(one: IgnitionConfig) -> None:
    assert one.merge(one) == one


@settings(max_examples=60, deadline=None)
@given(configs(), configs())
def test_merging_a_child_twice_is_merging_it_once(parent: IgnitionConfig, child: IgnitionConfig) -> None:
    assert parent.merge(child, child) == parent.merge(child)


@settings(max_examples=60, deadline=None)
@given(configs(), configs(), configs())
def test_the_order_of_merging_does_not_matter_for_users(
    a: IgnitionConfig, b: IgnitionConfig, c: IgnitionConfig
) -> None:
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    assert left.to_dict().get("passwd") == right.to_dict().get("passwd")
    assert left.to_dict().get("systemd") == right.to_dict().get("systemd")
