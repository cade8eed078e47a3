"""Butane: contents from the text, from local files and from trees."""

from __future__ import annotations

from pathlib import Path

import pytest
from butane_samples import contents_of, refused, result, run
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.ignition import dataurl


def test_inline_and_local_contents_are_embedded(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 5000)
    body = """\
    storage:
      files:
        - path: /inline
          contents: {inline: hello}
        - path: /local
          contents: {local: big}
        - path: /packed
          contents: {local: big, compression: gzip}
    """
    inline, local, packed = result(body, files=tmp_path)["storage"]["files"]
    assert inline["contents"] == {"source": "data:,hello", "compression": ""}
    assert local["contents"]["compression"] == "gzip" and contents_of(local) == b"x" * 5000
    assert packed["contents"]["compression"] == "gzip"
    assert dataurl.decode(packed["contents"]["source"]) == b"x" * 5000


def test_fcos_1_0_0_compresses_nothing() -> None:
    (file,) = result(f"storage: {{files: [{{path: /f, contents: {{inline: {'a' * 900}}}}}]}}", "fcos 1.0.0")[
        "storage"
    ]["files"]
    assert file["contents"] == {"source": f"data:,{'a' * 900}"}


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=30), st.integers(1, 40))
def test_inline_text_round_trips(text: str, times: int) -> None:
    quoted = '"' + (text * times).replace("\\", "\\\\").replace('"', '\\"') + '"'
    (file,) = result(f"storage: {{files: [{{path: /f, contents: {{inline: {quoted}}}}}]}}")["storage"][
        "files"
    ]
    assert contents_of(file).decode() == text * times


@pytest.mark.parametrize(
    ("name", "expected"),
    [("../secret", "leads out"), ("none", "No such file"), (".", "directory"), ('"a\\0b"', "file name")],
)
def test_local_files_stay_inside_their_directory(tmp_path: Path, name: str, expected: str) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (tmp_path / "secret").write_text("x")
    error = refused(
        f"storage:\n  files:\n    - path: /f\n      contents:\n        local: {name}\n", files=base
    )
    assert expected in str(error)
    assert "$.storage.files.0.contents.local" in str(error) and error.line == 7


def test_local_needs_a_files_directory() -> None:
    assert "--files-dir" in str(refused("storage: {files: [{path: /f, contents: {local: x}}]}"))


def test_only_one_source_may_be_given() -> None:
    error = refused("storage: {files: [{path: /f, contents: {inline: x, source: 'data:,'}}]}")
    assert "only one of inline, local, source" in str(error)


def test_units_keys_and_configs_can_be_local(tmp_path: Path) -> None:
    (tmp_path / "a.service").write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "keys").write_text("ssh-a\r\n\nssh-b\n")
    (tmp_path / "more.ign").write_text('{"ignition": {"version": "3.4.0"}}')
    body = """\
    ignition: {config: {merge: [{local: more.ign}]}}
    passwd: {users: [{name: core, ssh_authorized_keys: [ssh-0], ssh_authorized_keys_local: [keys]}]}
    systemd:
      units:
        - name: a.service
          contents_local: a.service
          dropins: [{name: b.conf, contents_local: a.service}]
    """
    config = result(body, files=tmp_path)
    assert config["passwd"]["users"][0]["sshAuthorizedKeys"] == ["ssh-0", "ssh-a", "ssh-b"]
    (unit,) = config["systemd"]["units"]
    assert unit["contents"] == unit["dropins"][0]["contents"] == "[Service]\nExecStart=/bin/true\n"
    assert config["ignition"]["config"]["merge"][0]["source"].startswith("data:")


def test_an_embedded_config_is_checked() -> None:
    inner = '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{}]}}'
    broken = f"ignition: {{config: {{replace: {{inline: '{inner}'}}}}}}"
    assert "$.ignition.config.replace.inline" in str(refused(broken))
    later = """ignition: {config: {replace: {inline: '{"ignition": {"version": "3.99.0"}}'}}}"""
    assert "not checked" in run(later).warnings[0].message


def test_trees_keep_modes_links_and_the_configs_own_word(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/tool").write_text("#!/bin/sh\n")
    (tree / "usr/bin/tool").chmod(0o755)
    (tree / "plain").write_text("x")
    (tree / "link").symlink_to("usr/bin/tool")
    body = """\
    storage:
      trees: [{local: tree, path: /opt}]
      files: [{path: /opt/plain, mode: 0600, user: {name: nest}}]
    """
    storage = result(body, files=tmp_path)["storage"]
    plain, tool = storage["files"]
    assert (plain["path"], plain["mode"], contents_of(plain)) == ("/opt/plain", 0o600, b"x")
    assert (tool["path"], tool["mode"]) == ("/opt/usr/bin/tool", 0o755)
    assert storage["links"] == [{"path": "/opt/link", "target": "usr/bin/tool"}]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("files: [{path: /f, contents: {inline: x}}]", "contents already"),
        ("directories: [{path: /f}]", "something else"),
        ("trees: [{local: tree}, {local: tree}]", "contents already"),
        ("trees: [{local: tree/f}]", "not a directory"),
        ("trees: [{local: none}]", "does not exist"),
        ("trees: [{path: /x}]", "needs local"),
    ],
)
def test_trees_that_clash_are_refused(tmp_path: Path, entry: str, expected: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/f").write_text("x")
    trees = "" if entry.startswith("trees") else "trees: [{local: tree}], "
    error = refused(f"storage: {{{trees}{entry}}}", files=tmp_path)
    assert expected in str(error) and "$.storage.trees." in str(error)
