"""Unit names as systemd's own tool gives them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from harness.butane import mounts
from harness.platform.parts import hostdirs
from harness.util.systemd import escape, escape_path, unit_of_path

PATHS = {
    "/": "-",
    "/var/home/nest/.ssh": "var-home-nest-.ssh",
    "/.hidden/a": r"\x2ehidden-a",
    "/var//data/": "var-data",
    "/var/./data": "var-data",
    "/mnt/with-dash": r"mnt-with\x2ddash",
    "/mnt/a b": r"mnt-a\x20b",
    "/mnt/ä": r"mnt-\xc3\xa4",
    r"/mnt/back\slash": r"mnt-back\x5cslash",
    "/dev/virtio-ports/com.nestos.x": r"dev-virtio\x2dports-com.nestos.x",
}
WORDS = {".a/b": r"\x2ea-b", "a.b": "a.b", "-x": r"\x2dx"}

needs_tool = pytest.mark.skipif(not shutil.which("systemd-escape"), reason="this host has no systemd-escape")


def tool(*words: str) -> str:
    done = subprocess.run(["systemd-escape", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(("path", "name"), PATHS.items())
def test_a_path_is_escaped(path: str, name: str) -> None:
    assert escape_path(path) == name
    assert mounts.unit_name(path, "mount") == unit_of_path(path, "mount") == f"{name}.mount"


@pytest.mark.parametrize(("word", "name"), WORDS.items())
def test_a_word_is_escaped(word: str, name: str) -> None:
    assert escape(word) == name


@needs_tool
@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_escaped_as_systemd_does(path: str) -> None:
    assert escape_path(path) == tool("--path", "--", path)


@needs_tool
@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_escaped_as_systemd_does(word: str) -> None:
    assert escape(word) == tool("--", word)


def test_a_path_that_leads_up_has_no_unit() -> None:
    with pytest.raises(ValueError, match="no path for a unit"):
        escape_path("/a/../b")


def test_a_host_directory_may_have_a_dot_in_its_path() -> None:
    assert hostdirs.unit_name("/var/home/nest/.ssh") == "var-home-nest-.ssh.mount"
