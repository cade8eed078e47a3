"""Machines as `kola run` makes them: by flags, markers and fixtures, seen from inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from kolarun import ignition

import kola

pytestmark = pytest.mark.vm

GROUP = """
    @pytest.mark.kola()
    def test_two_machines(machines):
        first, second = machines(2)
        assert first.run("ping -c 3 -W 5 node2", sudo=True).ok
        assert second.run("ping -c 3 -W 5 node1", sudo=True).ok
        assert not first.run("timeout 3 bash -c 'echo > /dev/tcp/192.0.2.1/80'").ok

    @pytest.mark.kola()
    def test_flags(machine):
        assert 600 < int(machine.run("awk '/MemTotal/ {print $2}' /proc/meminfo").stdout) // 1024 <= 768
        assert machine.file("/etc/appended").text == "appended"
        assert int(machine.run("lsblk -dnbo SIZE /dev/vda").stdout) == 11 << 30

    @pytest.mark.kola()
    @pytest.mark.machine(network=False, display=True, ignition=AUTOLOGIN)
    def test_console_only(machine, tmp_path):
        machine.console.send_line()
        machine.console.expect(r"nest@\\S+", timeout=300)
        machine.console.send_line("ls /sys/class/net; echo so''far")
        assert "ens" not in machine.console.expect(r"(?s)class/net(.*)sofar", timeout=300)[1]
        assert machine.screenshot(tmp_path / "shown.png").read_bytes().startswith(b"\\x89PNG")
"""

FLAGS = """
    @pytest.mark.kola()
    def test_flags(machine):
        assert machine.run("lsblk -dno SERIAL /dev/nvme0n1").stdout.strip() == "primary-disk"
        assert machine.run("nproc").stdout.strip() == "2"
        assert machine.run("cat /sys/class/dmi/id/product_name").stdout.strip() == "kola-extra"
        assert machine.file("/var/shared/greeting").text == "hello"
"""


def run_suite(reference: Path, directory: Path, suite: str, *flags: str) -> dict[str, Any]:
    """Tests by name, of a checkout whose only suite is this one."""
    source = Path(kola.__file__).parents[1]
    checkout = directory / "checkout"
    (checkout / "testsuites").mkdir(parents=True)
    for package in ("kola", "harness"):
        (checkout / package).symlink_to(source / package)
    head = "import pytest\nfrom harness.ignition import additions\nAUTOLOGIN = additions.autologin('nest')\n"
    (checkout / "testsuites/test_mine.py").write_text(head + textwrap.dedent(suite))
    output = directory / "out"
    command = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference)]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, "--output-dir", str(output), *flags],
        cwd=checkout,
        env=inherited | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    report = output / "reports/report.json"
    assert report.exists(), done.stdout + done.stderr
    tests = {test["name"].rpartition(".")[2]: test for test in json.loads(report.read_text())["tests"]}
    assert done.returncode == 0, done.stdout + done.stderr
    return tests


def test_groups_of_machines_consoles_and_flags_that_clones_can_have(reference: Path, tmp_path: Path) -> None:
    appended = ignition(
        tmp_path / "appended.ign",
        storage={"files": [{"path": "/etc/appended", "contents": {"source": "data:,appended"}}]},
    )
    flags = ["--qemu-memory", "768", "--qemu-size", "+1G", "--append-ignition", str(appended)]
    tests = run_suite(reference, tmp_path, GROUP, "--parallel", "2", *flags)
    assert {name: test["result"] for name, test in tests.items()} == dict.fromkeys(tests, "PASS")
    assert tests["two-machines"]["boot"] == ["clone", "clone"]
    assert tests["console-only"]["boot"] == ["cold"]


def test_flags_that_force_a_cold_boot(reference: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "greeting").write_text("hello")
    flags = ["--qemu-nvme", "--qemu-cpus", "2", "--qemu-bind-ro", f"{shared},/var/shared"]
    flags += ["--qemu-arg=-smbios", "--qemu-arg=type=1,product=kola-extra"]
    tests = run_suite(reference, tmp_path, FLAGS, *flags)
    assert tests["flags"]["boot"] == ["cold"]
