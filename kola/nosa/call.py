"""kola's own command line, as nosa's commands call it."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ConfigError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Typed:
    """The words of a command line: the values that the wrapper knows, and the rest for kola."""

    own: dict[str, str]
    rest: tuple[str, ...]


def separate(words: Sequence[str], *, values: Sequence[str], switches: Sequence[str] = ()) -> Typed:
    """Take the wrapper's own options out of `words`; all others stay as they are, in their order.

    Nothing after `--` is read. A switch that is given has the value "". Raises ConfigError for an option
    without its value.
    """
    own: dict[str, str] = {}
    rest: list[str] = []
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        if words[at] == "--":
            rest += words[at:]
            break
        if words[at] in switches:
            own[words[at]] = ""
        elif name in values and equals:
            own[name] = value
        elif name in values:
            at += 1
            if at == len(words):
                raise ConfigError(f"{name} needs a value")
            own[name] = words[at]
        else:
            rest.append(words[at])
        at += 1
    return Typed(own, tuple(rest))


def call(words: Sequence[str]) -> int:
    """Print the command line, run it, and return its exit status; 128 + N after signal N.

    SIGTERM and SIGHUP are passed on. Ctrl-C is not, since the terminal sends it to kola as well.
    """
    print("+ kola", shlex.join(words), flush=True)
    received: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def hear(number: int, _: object) -> None:
        received.append(number)
        if process is not None and number != signal.SIGINT:
            process.send_signal(number)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        process = subprocess.Popen([sys.executable, "-P", "-m", "kola.cli.main", *words])
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        return 128 + received[0]
    return status if status >= 0 else 128 - status
