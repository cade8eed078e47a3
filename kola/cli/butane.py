"""Translate a Butane config (nestos, fcos, flatcar) to the Ignition config it stands for."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.errors import ConfigError
from harness.util.language import localized
from harness.util.userfile import read_standard_input, read_user_text
from kola.cli.streams import write_utf8
from kola.run.argtypes import path
from kola.run.parser import Switch

HELP = "translate a Butane config to Ignition"
EXAMPLES = (
    "kola butane --pretty --strict my.bu -o my.ign",
    "kola butane --check my.bu               # only whether it is right",
)

_STANDARD = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=_STANDARD, help="input; - is standard input"
    )
    reading = parser.add_argument_group("the config")
    reading.add_argument("--strict", "-s", action=Switch, help="treat every warning as an error")
    reading.add_argument("--check", "-c", action=Switch, help="only check, write nothing")
    reading.add_argument(
        "--files-dir", "-d", metavar="DIR", type=path, help="where `local` files are read from"
    )
    output = parser.add_argument_group("the output")
    output.add_argument("--pretty", "-p", action=Switch, help="indent the output")
    output.add_argument("--raw", "-r", action=Switch, help="never wrap the output (it never is)")
    output.add_argument(
        "--output", "-o", metavar="FILE", default=_STANDARD, help="output; default standard output"
    )


def run(args: argparse.Namespace) -> int:
    """Return 0 when the config could be translated.

    Warnings go to standard error. Raises ConfigError otherwise.
    """
    from harness.butane import translate

    if args.files_dir is not None and not args.files_dir.is_dir():
        raise ConfigError("the files directory is not a directory", file=args.files_dir)
    text = _read(args.file)
    source = Path("<stdin>" if args.file == _STANDARD else args.file)
    translation = translate(text, files_dir=args.files_dir, strict=args.strict, source=source)
    for warning in translation.warnings:
        print(localized(str(warning)), file=sys.stderr)
    if not args.check:
        _write(args.output, translation.config.to_json(pretty=args.pretty).rstrip("\n") + "\n")
    return 0


def _read(name: str) -> str:
    return read_standard_input() if name == _STANDARD else read_user_text(Path(name))


def _write(name: str, text: str) -> None:
    if name == _STANDARD:
        write_utf8(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8", errors="surrogatepass")
    except OSError as wrong:
        raise ConfigError(f"cannot write the Ignition config: {wrong.strerror}", file=name) from None
