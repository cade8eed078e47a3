"""Start of a keeper's process, and communication with it until its machines are ready."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import kola
from harness.errors import ConfigError, InfrastructureError
from kola.keep.order import FORMAT, SpawnOrder
from kola.keep.record import Kept

LET_GO = b"let go\n"
"""The line after which the machines no longer depend on the process that started their keeper."""


class Started:
    """A keeper started by this process. Its machines end with this process, or by `close`, unless let go."""

    def __init__(self, order: SpawnOrder) -> None:
        """Raises OSError."""
        source = str(Path(kola.__file__).parents[1])
        paths = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._errors: IO[bytes] = os.fdopen(os.memfd_create("keeper"), "w+b")  # where no disk can be full
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kola.keep"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd="/",
            env=os.environ | {"PYTHONPATH": paths},
            start_new_session=True,
        )
        self._say(FORMAT.dump(order).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def machines(self, tell: Callable[[str], None]) -> list[Kept]:
        """Wait for the machines; news go to `tell`. Raises ConfigError, InfrastructureError."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            news = json.loads(line)
            if "notice" in news:
                tell(news["notice"])
            elif "ready" in news:
                return [Kept.model_validate(one) for one in news["ready"]]
            elif news["wrong_input"]:
                raise ConfigError(news["failed"])
            else:
                raise InfrastructureError(news["failed"], cause="not-started")
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        raise InfrastructureError(
            f"the machine's keeper ended with status {self._process.wait()}",
            cause="keeper-ended",
            evidence=said[-2000:],
        )

    def wait(self) -> None:
        """Wait until all machines have ended."""
        self._process.wait()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def let_go(self) -> None:
        """Let the machines live on without this process."""
        self._say(LET_GO)
        self._part()

    def close(self) -> None:
        """End the machines, unless they were let go."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._part()
            self._process.wait()
        self._errors.close()

    def _say(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it has ended, and `machines` says how

    def _part(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
