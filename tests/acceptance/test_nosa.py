"""kola's commands in nosa: found by a dispatcher like nosa's, in a tree as `nosa build` leaves it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from artifact_files import ARCH, build_root, image, write_meta
from fakes.checkout import Checkout

from kola.nosa.install import install

DISPATCHER = Path(__file__).parents[1] / "fakes" / "nosa"
SUITE = """
    @pytest.mark.kola()
    def test_good(machine):
        machine.run("true")

    @pytest.mark.kola()
    def test_bad(machine):
        assert False, "on purpose"
"""


class Nosa:
    def __init__(self, checkout: Checkout, tmp_path: Path) -> None:
        self.checkout = checkout
        checkout.suite(SUITE)
        self.commands = tmp_path / "commands"
        self.commands.mkdir()
        install(self.commands)
        self.tree = build_root(tmp_path / "srv", {"1": (ARCH,)})
        home = self.tree / "builds/1" / ARCH
        content = Path(checkout.fake.image).read_bytes()
        write_meta(home, "1", {"qemu": image(home, "nestos-1-qemu.qcow2", content)})
        (self.tree / "tmp").mkdir(exist_ok=True)

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        stdout, stderr = process.communicate(timeout=180)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        more = {"NOSA_COMMANDS": str(self.commands), "PYTHONPATH": str(self.checkout.root)}
        return subprocess.Popen(
            [DISPATCHER, *words],
            cwd=self.tree,
            env=self.checkout.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def nosa(checkout: Checkout, tmp_path: Path) -> Nosa:
    return Nosa(checkout, tmp_path)


def results(output: Path) -> dict[str, str]:
    report = json.loads((output / "reports/report.json").read_text())
    return {test["name"]: test["result"] for test in report["tests"]}


def test_kola_runs_a_test_and_erases_its_own_output(nosa: Nosa) -> None:
    for _ in range(2):
        done = nosa("kola", "mine.good")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "+ kola run --output-dir=tmp/kola mine.good" in done.stdout
    assert results(nosa.tree / "tmp/kola") == {"mine.good": "PASS"}


def test_kola_erases_no_other_directory(nosa: Nosa) -> None:
    (nosa.tree / "tmp/kola").mkdir()
    (nosa.tree / "tmp/kola/precious").touch()
    assert nosa("kola", "run", "mine.good").returncode == 2
    assert (nosa.tree / "tmp/kola/precious").exists()


def test_kola_run_tells_failures_and_successes(nosa: Nosa, tmp_path: Path) -> None:
    picture = shutil.copy(nosa.checkout.fake.image, tmp_path / "a.qcow2")
    done = nosa("kola-run", "-b", "nestos", "--qemu", str(picture), "mine.*")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-3:] == [
        "失败 1 例：mine.bad",
        "成功 1 例：mine.good",
        f"日志保存至：{nosa.tree / 'tmp/kola'}",
    ]


def test_wrong_words_are_one_message(nosa: Nosa) -> None:
    done = nosa("kola-run", "--qemu", "a")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("nosa kola-run: error: -b DISTRO is missing")


def test_run_runs_a_command(nosa: Nosa) -> None:
    done = nosa("run", "-x", "true")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_signal_reaches_kola_and_is_the_exit_status(nosa: Nosa) -> None:
    nosa.checkout.suite("@pytest.mark.kola()\ndef test_long(machine):\n    time.sleep(120)\n", name="slow")
    process = nosa.start("kola", "slow.long")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("=== RUN"):
            break
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
