"""What was typed for a run, kept so that its tests can be run again the same way."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kola.run.arguments import add_command_arguments

Options = Mapping[str, Any]

NOT_AGAIN = frozenset({"output_dir", "tapfile", "tag", "sharding", "multiply"})
"""What names of tests now stand for, and the files that an earlier run has left."""

_NOT_OPTIONS = frozenset({"patterns", "func", "bank", "granted"})
_PLACES = frozenset({"exttest", "append_ignition", "append_butane", "qemu_image", "workdir"})
_SHORT = {"exttest": "-E", "distro": "-b", "platform": "-p"}


def typed_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options that are not as they are by default, fit for JSON, paths absolute."""
    defaults = _defaults()
    return {
        name: _portable(name, value)
        for name, value in vars(args).items()
        if name not in _NOT_OPTIONS and (value != defaults[name] if name in defaults else value)
    }


def recall(args: argparse.Namespace, options: Options) -> None:
    """Set these options, but for those that were typed anew."""
    defaults = _defaults()
    for name, value in options.items():
        if name in defaults and name not in _NOT_OPTIONS and getattr(args, name) == defaults[name]:
            setattr(args, name, _as_typed(name, value))


def words(options: Options, *, without: Collection[str] = ()) -> list[str]:
    """The options as one would type them; paths below the current directory are relative to it."""
    line = []
    for name, value in options.items():
        if name in without:
            continue
        dashed = name.replace("_", "-")
        if isinstance(value, bool):
            line.append(f"--{dashed}" if value else f"--no-{dashed}")
            continue
        for one in value if isinstance(value, list) else [value]:
            line += [_SHORT.get(name, f"--{dashed}"), _short_path(one) if name in _PLACES else str(one)]
    return line


def _defaults() -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_command_arguments(parser)
    return vars(parser.parse_args([]))


def _portable(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_portable(name, one) for one in value]
    if isinstance(value, Path) or (name in _PLACES and value != "none"):
        return str(Path(value).absolute())
    return value


def _as_typed(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_as_typed(name, one) for one in value]
    return Path(value) if name in _PLACES and name != "workdir" else value


def _short_path(text: str) -> str:
    path, here = Path(text), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else text
