"""`kola` at the keyboard of a user whose machines are stand-ins."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from fakes.checkout import Checkout
from terminal import Terminal


class Desk:
    """A user with a checkout, a cache and a state directory of their own."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.state = checkout.fake.state / "kola/machines"

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "kola.cli.main", *words]

    def image(self) -> list[str]:
        return ["--workdir", "none", "--qemu-image", str(self.checkout.fake.image)]

    def kola(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*words),
            cwd=self.checkout.root,
            env=self.checkout.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def spawn(self, *words: str) -> str:
        """Spawn detached; return the names of the machines."""
        done = self.kola("spawn", "--detach", *self.image(), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def terminal(self, *words: str) -> Terminal:
        return self.on_terminal(self.argv(*words))

    def on_terminal(self, argv: list[str], *, env: Mapping[str, str] | None = None) -> Terminal:
        return Terminal(argv, env=env or self.checkout.environment(), cwd=self.checkout.root)

    def ps(self) -> list[dict[str, Any]]:
        done = self.kola("ps", "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def stop_all(self) -> None:
        done = self.kola("stop", "--all")
        assert done.returncode == 0, done.stderr

    def left(self) -> list[str]:
        return self.checkout.fake.left_behind(patience=5)
