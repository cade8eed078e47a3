"""The file of a pool's hosts: what it says, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.platform.hosts import HostEntry, from_uris, read_hosts, with_tags

POOL = """
# our pool
[[hosts]]
uri = "qemu:///system"
name = "here"

[[hosts]]
uri = "qemu+ssh://root@far.example/system"
memory = 16384
machines = 8
tags = ["kvm", "big"]
ssh = "root@far.example"
directory = "/srv/kola"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "pool.toml"
    path.write_text(text)
    return path


def test_hosts_are_read_with_their_limits_and_named_by_their_uri(tmp_path: Path) -> None:
    assert read_hosts(write(tmp_path, POOL)) == (
        HostEntry("qemu:///system", "here"),
        HostEntry(
            "qemu+ssh://root@far.example/system",
            "far.example",
            16384,
            8,
            ("kvm", "big"),
            "root@far.example",
            "/srv/kola",
        ),
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("[[hosts]\nuri", 1, "not TOML", id="no-toml"),
        pytest.param("", None, "names no host", id="empty"),
        pytest.param("hosts = 3", None, "names no host", id="no-table"),
        pytest.param(
            "[[hosts]]\nuri = 'qemu:///system'\n[other]\n", 3, "unknown key 'other'", id="other-table"
        ),
        pytest.param(
            "[[hosts]]\nuri = 'qemu:///system'\nmem = 3\n", 3, "unknown key 'mem'", id="unknown-key"
        ),
        pytest.param("[[hosts]]\nname = 'a'\n", 1, "host 1 has no uri", id="no-uri"),
        pytest.param("[[hosts]]\nuri = 'u'\nmemory = '1G'\n", 3, "memory is a number of MiB", id="no-number"),
        pytest.param("[[hosts]]\nuri = 'u'\nmachines = true\n", 3, "machines is a number", id="no-count"),
        pytest.param("[[hosts]]\nuri = 'u'\ntags = 'kvm'\n", 3, "tags is a list", id="no-list"),
        pytest.param("[[hosts]]\nuri = 'u'\nname = 'a b'\n", 3, "name is letters", id="no-name"),
        pytest.param("[[hosts]]\nuri = 'u'\ndirectory = 'x'\n", 3, "directory is a path", id="no-path"),
        pytest.param(
            "[[hosts]]\nuri = 'u'\nname = 'a'\n[[hosts]]\nuri = 'v'\nname = 'a'\n",
            None,
            "two hosts have the name 'a'",
            id="two-names",
        ),
        pytest.param(
            "[[hosts]]\nuri = 'u'\n[[hosts]]\nuri = 'u'\n", None, "two hosts have the uri 'u'", id="two-uris"
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(
    text: str, line: int | None, words: str, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        read_hosts(path)
    assert words in error.value.message
    assert (error.value.file, error.value.line) == (path, line)
    assert error.value.hint


def test_the_same_key_of_another_host_is_not_the_one_at_fault(tmp_path: Path) -> None:
    text = "[[hosts]]\nuri = 'u'\nmemory = 1\n\n[[hosts]]\nuri = 'v'\nmemory = 0\n"
    with pytest.raises(ConfigError) as error:
        read_hosts(write(tmp_path, text))
    assert error.value.line == 7


def test_two_daemons_of_one_host_are_told_apart_by_their_uris() -> None:
    first, second, third = from_uris(
        [
            "qemu+ssh://far/system",
            "qemu+ssh://far/session",
            "qemu+tcp://near/system",
            "qemu+tcp://near/system",
        ]
    )
    assert (first.name, second.name, third.name) == (
        "qemu+ssh://far/system",
        "qemu+ssh://far/session",
        "near",
    )


def test_tags_choose_hosts_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    hosts = read_hosts(write(tmp_path, POOL))
    assert [host.name for host in with_tags(hosts, ["big", "kvm"])] == ["far.example"]
    assert with_tags(hosts, []) == hosts
    with pytest.raises(ConfigError, match="no host has the tag arm") as error:
        with_tags(hosts, ["arm"])
    assert "big, kvm" in str(error.value.hint)
