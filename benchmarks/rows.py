"""Where people wait: four kinds of external tests, cold and warm, this checkout against an earlier one.

    python benchmarks/rows.py [--before REVISION] [--rows NAME,…] [--parallel N] [--rounds N] [--most N]

Rows: `shared` (20 tests of one command that would share a machine), `exclusive` (5), `reboot` (3, each with
a reboot), `config` (4, each with a Butane config of its own), and `runner` (20 tests on the stand-in for
QEMU, which show what the runner itself takes). Each row runs with a cache of its own: cold, without a
template, and warm, with those of the first run. With --before every run is made by both revisions in turn,
in the same minutes of the same machine; the ratio is ours to theirs.

Seconds are those of the whole command. CPU seconds are those of its whole process tree, QEMU included, as the
kernel counts them at its end (wait4); on a busy host they say more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from census import proportional_kib

from harness.reference import ensure
from harness.util.host import descendants

HOME = Path(__file__).resolve().parents[1]
MARK = "AUTOPKGTEST_REBOOT_MARK"
REBOOTS = f'case "${{{MARK}:-}}" in\n"") /tmp/autopkgtest-reboot again ;;\nagain) ;;\n*) exit 1 ;;\nesac\n'
CONFIG = """variant: fcos
version: 1.4.0
storage:
  files:
    - path: /etc/bench-{number}
      contents:
        inline: "{number}"
"""
STAND_IN = """
import pytest

@pytest.mark.kola()
@pytest.mark.parametrize("number", range(20))
def test_one_command(machine, number):
    machine.run("true").check()
"""


@dataclass(frozen=True)
class Row:
    """Tests of one kind: how many, their metadata, their body, and whether each has a config."""

    count: int
    metadata: str
    body: str
    config: bool = False

    def write(self, top: Path, most: int) -> None:
        for number in range(min(self.count, most)):
            home = top / "tests/kola" / f"t{number}"
            home.mkdir(parents=True)
            test = home / "test.sh"
            body = self.body.format(number=number) if self.config else self.body
            test.write_text(f"#!/bin/bash\n## kola:\n##   exclusive: {self.metadata}\nset -e\n{body}")
            test.chmod(0o755)
            if self.config:
                (home / "config.bu").write_text(CONFIG.format(number=number))


ROWS: Mapping[str, Row] = {
    "shared": Row(20, "false", "test -e /etc/os-release\n"),
    "exclusive": Row(5, "true", "test -e /etc/os-release\n"),
    "reboot": Row(3, "true", REBOOTS),
    "config": Row(4, "true", 'test "$(cat /etc/bench-{number})" = {number}\n', config=True),
}
RUNNER = "runner"


@dataclass(frozen=True)
class Took:
    """Seconds and CPU seconds of one command; for the runner, what happened when, and its memory in MiB."""

    seconds: float
    cpu: float
    first_event: float = 0.0
    first_test: float = 0.0
    end: float = 0.0
    own_cpu: float = 0.0
    memory: float = 0.0


@contextmanager
def revision(name: str | None) -> Iterator[Path]:
    """A checkout of a revision; of None this one."""
    if name is None:
        yield HOME
        return
    with tempfile.TemporaryDirectory(prefix="kola-before-") as directory:
        place = Path(directory) / "checkout"
        git = ["git", "-C", str(HOME), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), name], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def run(
    source: Path, words: list[str], *, where: Path, output: Path, environ: dict[str, str], watch: bool
) -> Took:
    """Run `kola run` of a checkout and wait for its end. All its tests must pass.

    `watch` also counts what its own processes take, QEMU left out, which costs some time itself.
    """
    argv = [sys.executable, "-m", "kola.cli.main", "run", "--output-dir", str(output), *words]
    said = output.with_suffix(".txt")
    began, started = time.time(), time.monotonic()
    with said.open("w") as stream:
        child = subprocess.Popen(
            argv,
            cwd=where,
            env=os.environ | environ | {"PYTHONPATH": str(source)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        memory, own = 0.0, dict[int, float]()
        done = 0
        while not done:
            done, status, used = os.wait4(child.pid, os.WNOHANG)
            if not done and watch:
                memory = max(memory, _watch(child.pid, own))
            time.sleep(0.1 if watch else 0.02)
    seconds = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    tests = json.loads((output / "reports/report.json").read_text())["tests"]
    if child.returncode != 0 or any(test["result"] != "PASS" for test in tests):
        sys.exit(f"a run did not pass; see {said}")
    events = [json.loads(line) for line in (output / "events.jsonl").read_text().splitlines()]
    at = {kind: [event["time"] - began for event in events if event["kind"] == kind] for kind in _MOMENTS}
    return Took(
        seconds,
        used.ru_utime + used.ru_stime,
        min(at["run-start"]),
        min(at["test-start"]),
        seconds - max(at["test-end"]),
        sum(own.values()),
        memory,
    )


_MOMENTS = ("run-start", "test-start", "test-end")
_TICKS = os.sysconf("SC_CLK_TCK")


def _watch(root: int, own: dict[int, float]) -> float:
    """Note the CPU seconds of the command's own processes in `own`, and return their memory in MiB (Pss)."""
    held = 0.0
    for pid in (root, *descendants([root])[root]):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if b"kola.cli.main" in command or b"exec(eval(" in command:
                own[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
                held += proportional_kib(pid) / 1024
        except (OSError, IndexError):
            continue  # it has ended meanwhile
    return held


def measured(name: str, sources: Mapping[str, Path], args: argparse.Namespace, root: Path | None) -> None:
    """Run a row with each revision in turn, cold and warm, and print it."""
    with tempfile.TemporaryDirectory(prefix="kola-rows-") as directory:
        top = Path(directory)
        prepared = {
            who: _prepared(top / who, name, source, root, args.most) for who, source in sources.items()
        }
        for state in ("cold", *["warm"] * args.rounds):
            took = {}
            for who, source in sources.items():
                where, words, environ = prepared[who]
                output = top / who / f"output-{state}"
                words = [*words, "--parallel", str(args.parallel)]
                took[who] = run(
                    source, words, where=where, output=output, environ=environ, watch=name == RUNNER
                )
            report(name, state, took)


def _prepared(
    top: Path, name: str, source: Path, root: Path | None, most: int
) -> tuple[Path, list[str], dict[str, str]]:
    """The directory, the words and the environment for one revision's runs of a row, with an empty cache."""
    if name == RUNNER:
        sys.path.insert(0, str(HOME / "tests"))
        from fakes.steering import FakeQemu

        fake = FakeQemu(top / "host")
        for package in ("kola", "harness"):
            (top / package).symlink_to(source / package)
        (top / "testsuites").mkdir()
        (top / "testsuites/test_short.py").write_text(STAND_IN)
        return top, ["--workdir", "none", "--qemu-image", str(fake.image)], fake.environment()
    project = top / "project"
    ROWS[name].write(project, most)
    cache = top / "cache"
    cache.mkdir()
    words = ["--workdir", str(root), "-E", str(project), "ext.project.*"]
    return project, words, {"XDG_CACHE_HOME": str(cache)}


def report(name: str, state: str, took: Mapping[str, Took]) -> None:
    for who, one in took.items():
        line = f"{name:9} {state} {who:6} {one.seconds:7.1f} s {one.cpu:7.1f} CPU s"
        if name == RUNNER:
            line += f"; first event {one.first_event:.2f} s, first test {one.first_test:.2f} s,"
            line += f" end {one.end:.2f} s, own {one.own_cpu:.2f} CPU s, {one.memory:.0f} MiB"
        print(line, flush=True)
    if len(took) == 2:
        before, after = took["before"], took["after"]
        print(
            f"{name:9} {state} ratio  {after.seconds / before.seconds:7.2f}   {after.cpu / before.cpu:7.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", metavar="REVISION", help="a revision of git to compare with")
    parser.add_argument("--rows", default=",".join((*ROWS, RUNNER)))
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1, help="warm runs of each row")
    parser.add_argument("--most", type=int, default=100, help="most tests of a row, where time is short")
    parser.add_argument("--reference", type=Path)
    args = parser.parse_args()
    names = args.rows.split(",")
    unknown = set(names) - {*ROWS, RUNNER}
    if unknown:
        parser.error(f"unknown rows: {', '.join(sorted(unknown))}")
    root = (args.reference or ensure(progress=print)) if set(names) != {RUNNER} else None
    print(f"load of this machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs", flush=True)
    with ExitStack() as stack:
        sources = {"after": HOME}
        if args.before:
            sources = {"before": stack.enter_context(revision(args.before)), **sources}
        for name in names:
            measured(name, sources, args, root)


if __name__ == "__main__":
    main()
