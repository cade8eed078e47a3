"""The entry of nosa's commands: `python -m kola.nosa kola|kola-run|run [ARGUMENT…]`."""

from __future__ import annotations

import sys

from harness.errors import ConfigError
from harness.util.language import localized, tr
from kola.nosa import kola, kola_run, run

COMMANDS = {"kola": kola.main, "kola-run": kola_run.main, "run": run.main}


def main(words: list[str]) -> int:
    """Run one command and return its exit status. Wrong input is one message and 2."""
    try:
        return COMMANDS[words[0]](words[1:])
    except ConfigError as error:
        described = error.described(tr("hint"), say=localized)
        print(tr("nosa {name}: error: {error}", name=words[0], error=described), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
