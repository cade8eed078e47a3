"""`kola butane`: translate a Butane config to Ignition."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.errors import ConfigError
from harness.ignition.butane import translate

_STANDARD = "-"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "butane",
        help="translate a Butane config to Ignition",
        description="Translate a Butane config (nestos, fcos, flatcar) to the Ignition config it stands for.",
    )
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default=_STANDARD, help="input; - is standard input"
    )
    parser.add_argument("--strict", "-s", action="store_true", help="treat every warning as an error")
    parser.add_argument("--check", "-c", action="store_true", help="only check, write nothing")
    parser.add_argument("--pretty", "-p", action="store_true", help="indent the output")
    parser.add_argument("--raw", "-r", action="store_true", help="never wrap the output (it never is)")
    parser.add_argument(
        "--files-dir", "-d", metavar="DIR", type=Path, help="where `local` files are read from"
    )
    parser.add_argument(
        "--output", "-o", metavar="FILE", default=_STANDARD, help="output; default standard output"
    )
    parser.set_defaults(func=run_butane)


def run_butane(args: argparse.Namespace) -> int:
    """0 when the config could be translated; warnings go to standard error. Raise ConfigError otherwise."""
    if args.files_dir is not None and not args.files_dir.is_dir():
        raise ConfigError("the files directory is not a directory", file=args.files_dir)
    text = _read(args.file)
    source = None if args.file == _STANDARD else Path(args.file)
    translation = translate(text, files_dir=args.files_dir, strict=args.strict, source=source)
    for warning in translation.warnings:
        print(warning, file=sys.stderr)
    if not args.check:
        _write(args.output, translation.config.to_json(pretty=args.pretty).rstrip("\n") + "\n")
    return 0


def _read(name: str) -> str:
    try:
        content = sys.stdin.buffer.read() if name == _STANDARD else Path(name).read_bytes()
    except OSError as wrong:
        raise ConfigError(f"cannot read the Butane config: {wrong.strerror}", file=name) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        raise ConfigError("the Butane config is not UTF-8", file=name, line=line) from None


def _write(name: str, text: str) -> None:
    if name == _STANDARD:
        sys.stdout.write(text)
        return
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise ConfigError(f"cannot write the Ignition config: {wrong.strerror}", file=name) from None
