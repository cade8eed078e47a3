"""`kola run-upgrade`: its own tests, machines that start from the older build."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

import pytest
from fakes.checkout import Checkout

SUITE = """
@pytest.mark.kola()
def test_ordinary(machine):
    pass

@pytest.mark.kola(tags=["upgrade"], required_tag="upgrade")
def test_moves(machine, upgrade):
    assert upgrade.parent == "1"
    assert upgrade.target.id == "2"
    (machine.directory / "booted").write_text("yes")

@pytest.mark.kola(tags=["upgrade"], required_tag="upgrade")
def test_other(machine, upgrade):
    pass
"""


@pytest.fixture
def builds(checkout: Checkout) -> Path:
    """Builds 1 and 2, the images the same."""
    arch = platform.machine()
    root = checkout.root / "work"
    for build in ("1", "2"):
        home = root / "builds" / build / arch
        home.mkdir(parents=True)
        shutil.copy(checkout.fake.image, home / f"{build}.qcow2")
        meta = {"buildid": build, "name": "nestos", "images": {"qemu": {"path": f"{build}.qcow2"}}}
        (home / "meta.json").write_text(json.dumps(meta))
    index = [{"id": build, "arches": [arch]} for build in ("2", "1")]
    (root / "builds/builds.json").write_text(json.dumps({"schema-version": "1.0.0", "builds": index}))
    checkout.suite(SUITE)
    return root


def test_machines_start_from_the_build_before(checkout: Checkout, builds: Path) -> None:
    ran = checkout.run("--workdir", str(builds), "mine.moves", command="run-upgrade", image=False)
    assert ran.status == 0, ran.stdout + ran.stderr
    assert ran.results == {"mine.moves": "PASS"}
    assert "upgrading from 1 to 2" in ran.stderr
    command = next(ran.output.rglob("qemu-command.txt")).parent
    assert (command / "booted").exists()
    assert ran.report["version"] == "2"


def test_only_tests_of_the_bank_run_and_kola_run_leaves_them_out(checkout: Checkout, builds: Path) -> None:
    ran = checkout.run("--workdir", str(builds), command="run-upgrade", image=False)
    assert set(ran.results) == {"mine.moves", "mine.other"}
    ran = checkout.run("--workdir", str(builds), image=False)
    assert set(ran.results) == {"mine.ordinary"}


def test_an_upgrade_test_that_is_no_upgrade_is_skipped_with_the_command(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    ran = checkout.run("--tag", "upgrade", "mine.moves")
    assert set(ran.results.values()) == {"SKIP"}
    assert "kola run-upgrade" in ran.stdout


def test_the_oldest_build_has_nothing_to_come_from(checkout: Checkout, builds: Path) -> None:
    ran = checkout.run("--workdir", str(builds), "--build", "1", command="run-upgrade", image=False)
    assert ran.status == 2
    assert "0 builds of" in ran.stderr
    assert "Traceback" not in ran.stderr
