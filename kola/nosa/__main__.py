"""The entry of nosa's commands: `python -m kola.nosa kola|kola-run|run [ARGUMENT…]`."""

from __future__ import annotations

import sys

from harness.errors import ConfigError
from kola.nosa import kola, kola_run, run

COMMANDS = {"kola": kola.main, "kola-run": kola_run.main, "run": run.main}


def main(words: list[str]) -> int:
    """Run one command and return its exit status. Wrong input is one message and 2."""
    try:
        return COMMANDS[words[0]](words[1:])
    except ConfigError as error:
        print(f"nosa {words[0]}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
