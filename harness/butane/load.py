"""Loading a config that a user names on the command line: Ignition or Butane, valid, with its warnings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.butane.translate import translate
from harness.ignition.config import IgnitionConfig
from harness.ignition.findings import Finding
from harness.util.userfile import read_user_text


@dataclass(frozen=True)
class LoadedConfig:
    """A config that Ignition accepts. `tolerated` lists the warnings that never count as errors."""

    config: IgnitionConfig
    warnings: tuple[Finding, ...] = ()
    tolerated: tuple[Finding, ...] = ()


def load_ignition(path: Path) -> LoadedConfig:
    """Read an Ignition config and validate it as Ignition will. Raises ConfigError that names every error.

    An unused key is only a tolerated warning, since Ignition ignores the key.
    """
    config = IgnitionConfig.load(path)
    return LoadedConfig(config, config.check(file=path), config.ignored)


def load_butane(path: Path) -> LoadedConfig:
    """Translate a Butane config; local files come from its directory. Raises ConfigError with the line."""
    translation = translate(read_user_text(path), files_dir=path.parent, source=path)
    return LoadedConfig(translation.config, translation.warnings, translation.tolerated)


def load_config(path: Path) -> LoadedConfig:
    """Load a config: Butane when the file name ends in `.bu`, else Ignition."""
    return load_butane(path) if path.suffix == ".bu" else load_ignition(path)
