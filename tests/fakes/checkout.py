"""A checkout with suites of its own, and `kola run` in it as a user would type it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kola
from fakes.steering import FakeQemu

HEAD = "import os, signal, time\nimport pytest\n"


@dataclass(frozen=True)
class Ran:
    """A finished command. `output` is the directory its results are in."""

    status: int
    stdout: str
    stderr: str
    output: Path

    @property
    def report(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.output / "reports/report.json").read_text())
        return loaded

    @property
    def results(self) -> dict[str, str]:
        return {test["name"]: test["result"] for test in self.report["tests"]}


class Checkout:
    """`kola` and `harness` are ours; `testsuites` holds what a test puts there."""

    def __init__(self, fake: FakeQemu, root: Path) -> None:
        self.fake = fake
        self.root = root
        self.output = root / "output"
        source = Path(kola.__file__).parents[1]
        root.mkdir()
        for package in ("kola", "harness"):
            (root / package).symlink_to(source / package)
        (root / "testsuites").mkdir()

    def suite(self, text: str, *, name: str = "mine") -> None:
        """A module of tests called `mine.…`; os, signal, time and pytest are imported."""
        (self.root / "testsuites" / f"test_{name}.py").write_text(HEAD + textwrap.dedent(text))

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        return inherited | self.fake.environment() | more

    def argv(self, *words: str, image: bool = True, command: str = "run") -> list[str]:
        given = ["--qemu-image", str(self.fake.image)] if image else []
        where = ["--output-dir", str(self.output), "--workdir", "none"]
        return [sys.executable, "-m", "kola.cli.main", command, *where, *given, *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`kola run`, not waited for, in a process group of its own as a shell would have it."""
        return subprocess.Popen(
            self.argv(*words),
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            preexec_fn=_as_from_a_terminal,
        )

    def run(
        self,
        *words: str,
        image: bool = True,
        command: str = "run",
        env: dict[str, str] | None = None,
        timeout: float = 180,
    ) -> Ran:
        return self._finished(self.argv(*words, image=image, command=command), env or {}, timeout)

    def finished(self, *words: str, timeout: float = 180) -> Ran:
        """`kola WORDS`, whatever the command."""
        return self._finished([sys.executable, "-m", "kola.cli.main", *words], {}, timeout)

    def pytest(self, *words: str, env: dict[str, str] | None = None, timeout: float = 180) -> Ran:
        """Plain pytest, as a user would type it."""
        return self._finished([sys.executable, "-m", "pytest", *words], env or {}, timeout)

    def _finished(self, argv: list[str], more: dict[str, str], timeout: float) -> Ran:
        done = subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr, self.output)


def _as_from_a_terminal() -> None:
    """Hear Ctrl-C and SIGHUP, which a shell's background job and `nohup` ignore, and pass on as ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
