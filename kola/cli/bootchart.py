"""Boot a machine and write the chart that `systemd-analyze plot` draws of it.

The machine boots from the start, since a clone would show the boot of its template. It ends with the command.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from harness.errors import ConfigError, MachineFailure
from kola.cli import spawnargs
from kola.run.argtypes import path

HELP = "boot a machine and draw a chart of its boot"
EXAMPLES = (
    "kola bootchart                     # writes bootchart.svg here",
    "kola bootchart --build -1 -m 2048 -o before.svg",
)
SHOWN = ("--output", "--workdir", "--build", "--qemu-image", "--ignition", "--memory", "--cpus", "--firmware")
LIKE = "spawn"

_EVIDENCE = 500
_DEFAULT = Path("bootchart.svg")
# The chart can be drawn once the boot has finished, whether or not all units started.
_PLOT = "timeout 600 systemctl is-system-running --wait >/dev/null; systemd-analyze plot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the chart")
    group.add_argument("-o", "--output", type=path, metavar="FILE", help=f"an SVG file ({_DEFAULT})")
    spawnargs.add_subject(parser)
    spawnargs.add_config(parser)
    spawnargs.add_hardware(parser)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError when the file cannot be written, MachineFailure when there is no chart."""
    from harness.util.paths import require_cache, require_state
    from kola.cli.kept import introduce, tell
    from kola.keep.enter import output_of
    from kola.keep.options import SpawnOptions
    from kola.keep.start import Started

    target: Path = args.output or _DEFAULT.absolute()
    if not target.parent.is_dir():
        raise ConfigError("there is no such directory", file=target.parent)
    require_cache()
    require_state()
    with Started(replace(SpawnOptions.of(args), cold=True).order(tell)) as started:
        (machine,) = started.machines(tell)
        tell(introduce(machine))
        chart = output_of(machine, _PLOT)
    if "<svg" not in chart:
        raise MachineFailure("no-bootchart", "systemd-analyze drew no chart", evidence=chart[:_EVIDENCE])
    try:
        target.write_text(chart, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=target) from None
    print(target)
    return 0
