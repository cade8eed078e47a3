"""A user's mistake gives one clear error on stderr and exit status 2; nothing is started or erased."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from fakes.checkout import Checkout, Ran

SUITE = """
@pytest.mark.kola()
def test_good(machine):
    pass
"""


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.suite(SUITE)
    return checkout


def assert_refused(ran: Ran, *said: str) -> None:
    assert ran.status == 2, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    for words in said:
        assert words in ran.stderr
    assert sum(" error: " in line for line in ran.stderr.splitlines()) == 1
    assert "=== RUN" not in ran.stdout


def test_an_image_that_is_not_there(checkout: Checkout) -> None:
    assert_refused(checkout.run("--qemu-image", "nowhere.qcow2", image=False), "nowhere.qcow2")


def test_an_image_that_is_a_directory(checkout: Checkout) -> None:
    assert_refused(checkout.run("--qemu-image", str(checkout.root), image=False), str(checkout.root))


def test_a_file_that_is_no_qcow2(checkout: Checkout) -> None:
    wrong = checkout.root / "page.qcow2"
    wrong.write_text("<!DOCTYPE html>" + " " * 2_000_000)
    ran = checkout.run("--qemu-image", str(wrong), image=False)
    assert_refused(ran, "page.qcow2: not a qcow2 image", "HTML page")


def test_a_build_without_a_qemu_image(checkout: Checkout) -> None:
    build = write_build(checkout.root / "work", json.dumps({"buildid": "1", "name": "nestos", "images": {}}))
    ran = checkout.run("--workdir", str(build), image=False)
    assert_refused(ran, "has no qemu artifact")


def test_a_meta_json_that_cannot_be_read(checkout: Checkout) -> None:
    build = write_build(checkout.root / "work", '{"buildid": ')
    ran = checkout.run("--workdir", str(build), image=False)
    assert_refused(ran, "meta.json:1: not JSON")


def test_a_directory_without_builds(checkout: Checkout) -> None:
    (checkout.root / "empty").mkdir()
    ran = checkout.run("--workdir", str(checkout.root / "empty"), image=False)
    assert_refused(ran, "not a build directory")


def test_a_pattern_that_matches_nothing(checkout: Checkout) -> None:
    assert_refused(checkout.run("mine.goof"), "mine.goof")
    assert not checkout.output.exists()


def test_a_pattern_that_matches_nothing_is_said_before_the_reference_os_is_built(
    checkout: Checkout, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    ran = checkout.run("mine.goof*", image=False, env={"XDG_CACHE_HOME": str(cache)})
    assert_refused(ran, "mine.goof*", "did you mean mine.good*?")
    assert not any(cache.rglob("reference*"))


def test_pytest_lists_the_tests_without_building_the_reference_os(checkout: Checkout, tmp_path: Path) -> None:
    (checkout.root / "conftest.py").write_text('pytest_plugins = ["kola.plugin"]\n')
    cache = tmp_path / "cache"
    ran = checkout.pytest(
        "testsuites", "--collect-only", "-q", "--kola", "--workdir none", env={"XDG_CACHE_HOME": str(cache)}
    )
    assert ran.status == 0, ran.stdout + ran.stderr
    assert "test_good" in ran.stdout
    assert not any(cache.rglob("reference*"))


def test_an_unknown_flag(checkout: Checkout) -> None:
    assert_refused(checkout.run("--bogus"), "--bogus")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "vmware"), "vmware"),
        (("--parallel", "many"), "many"),
        (("--qemu-firmware", "coreboot"), "coreboot"),
        (("--distro", "slackware"), "slackware"),
        (("--arch", "m68k"), "m68k"),
        pytest.param(
            ("--qemu-size", "large"),
            "large",
        ),
        (("--append-ignition", "absent.ign"), "absent.ign"),
    ],
)
def test_a_value_that_means_nothing(checkout: Checkout, words: tuple[str, ...], said: str) -> None:
    assert_refused(checkout.run(*words), said)


def test_no_qemu_on_this_host(checkout: Checkout) -> None:
    bare = checkout.root / "bin"
    bare.mkdir()
    (bare / "setpriv").symlink_to("/usr/bin/setpriv")
    ran = checkout.run(env={"PATH": str(bare)})
    assert_refused(ran, "no qemu-system-", "apt-get install qemu-system-")


def test_an_output_directory_that_holds_something_else(checkout: Checkout) -> None:
    checkout.output.mkdir()
    precious = checkout.output / "thesis.txt"
    precious.write_text("years")
    assert_refused(checkout.run(), "holds something that is no output of kola")
    assert precious.read_text() == "years"


def test_an_output_directory_of_an_earlier_run_is_taken_again(checkout: Checkout) -> None:
    checkout.output.mkdir()
    (checkout.output / ".harness_temp").touch()
    (checkout.output / "old.txt").touch()
    assert checkout.run().status == 0
    assert not (checkout.output / "old.txt").exists()


def write_build(root: Path, meta: str) -> Path:
    """A build directory with one build and this meta.json."""
    arch = platform.machine()
    home = root / "builds/1" / arch
    home.mkdir(parents=True)
    (home / "meta.json").write_text(meta)
    (root / "builds/latest").symlink_to("1")
    index = {"schema-version": "1.0.0", "builds": [{"id": "1", "arches": [arch]}]}
    (root / "builds/builds.json").write_text(json.dumps(index))
    return root
