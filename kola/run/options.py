"""A command's options as frozen values: the only form in which they leave the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from kola.run.argtypes import RerunTags, Workdir
from kola.run.arguments import add_command_arguments, add_parent_arguments
from kola.run.parser import Parser

if TYPE_CHECKING:
    from harness.machine.spec import Firmware, HostDirectory

RUN = "run"
UPGRADE = "run-upgrade"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of groups of options. Fields are named like the destinations of the command line."""

    @classmethod
    def of(cls, args: argparse.Namespace, **more: Any) -> Self:
        """Take the fields that the namespace has; the others keep their defaults."""
        typed = vars(args)
        values: dict[str, Any] = {}
        for one in fields(cls):
            group = _GROUPS.get(one.name)
            if group is not None:
                values[one.name] = group.of(args)
            elif one.name in typed:
                values[one.name] = _frozen(typed[one.name])
        return cls(**values | more)

    def flat(self) -> Iterator[tuple[str, Any]]:
        """Yield every option with its value, including those of groups."""
        for one in fields(self):
            value = getattr(self, one.name)
            if is_dataclass(value) and isinstance(value, Options):
                yield from value.flat()
            else:
                yield one.name, value


@dataclass(frozen=True, kw_only=True)
class SubjectOptions(Options):
    """The build or image under test."""

    workdir: Path | Workdir | None = None
    build: str = "latest"
    arch: str | None = None
    distro: str | None = None
    qemu_image: Path | None = None
    qemu_iso: Path | None = None
    qemu_image_backing: bool = False
    find_parent: bool = False
    parent: str | None = None
    qemu_image_dir: Path | None = None

    @property
    def directory(self) -> Path | None:
        """The build directory: as typed, or the current one if it looks like one, else None."""
        if isinstance(self.workdir, Path):
            return self.workdir
        here = Path.cwd()
        looks = (here / "src/config").is_dir() or (here / "builds/builds.json").is_file()
        return here if self.workdir is None and looks else None

    @property
    def of_the_reference(self) -> bool:
        """True when no build directory and no image were named or found: the reference OS is the subject."""
        return self.directory is None and self.qemu_image is None and self.qemu_iso is None


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(Options):
    """The selection of tests. `granted` tests run without the tag they require, since they are named."""

    patterns: tuple[str, ...] = ()
    platform: str | None = None
    also_distro: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    no_net: bool = False
    exttest: tuple[Path, ...] = ()
    denylist_test: tuple[str, ...] = ()
    denylist_stream: str | None = None
    run_platform_independent: bool = False
    sharding: str | None = None
    multiply: int = 1
    granted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MachineOptions(Options):
    """Options for making machines, and the configs merged into theirs."""

    append_ignition: tuple[Path, ...] = ()
    append_butane: tuple[Path, ...] = ()
    debug_systemd_unit: tuple[str, ...] = ()
    libvirt_uri: tuple[str, ...] = ()
    hosts: Path | None = None
    host_tag: tuple[str, ...] = ()
    libvirt_network: str | None = None
    inst_insecure: bool = False
    pxe_kargs: str = ""
    qemu_firmware: Firmware | None = None
    qemu_size: str | None = None
    qemu_memory: int | None = None
    qemu_cpus: int = 1
    qemu_multipath: bool = False
    qemu_native_4k: bool = False
    qemu_512e: bool = False
    qemu_nvme: bool = False
    qemu_swtpm: bool = True
    qemu_bind_ro: tuple[HostDirectory, ...] = ()
    qemu_arg: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """All options of `kola run` and `kola run-upgrade`."""

    command: str = RUN
    subject: SubjectOptions = field(default_factory=SubjectOptions)
    selection: SelectionOptions = field(default_factory=SelectionOptions)
    machine: MachineOptions = field(default_factory=MachineOptions)
    parallel: int | Literal["auto"] = 1
    output_dir: Path | None = None
    tapfile: Path | None = None
    junitxml: Path | None = None
    allure: bool = False
    alluredir: Path | None = None
    on_warn_failure_exit_77: bool = False
    extend_timeout_percentage: int = 0
    boot: str = "auto"
    isolation: str = "machine"
    rerun: bool = False
    allow_rerun_success: RerunTags | None = None
    keep_on_failure: bool = False
    ssh_on_test_failure: bool = False
    verbose: bool = False
    pytest_args: str = ""
    verify_clones: bool = False
    strict_profile: bool = False

    @property
    def upgrading(self) -> bool:
        return self.command == UPGRADE


_GROUPS: Mapping[str, type[Options]] = {
    "subject": SubjectOptions,
    "selection": SelectionOptions,
    "machine": MachineOptions,
}


def parser_of(command: str) -> Parser:
    """Return the parser of `kola run` or `kola run-upgrade`."""
    parser = Parser(prog=f"kola {command}")
    add_command_arguments(parser)
    if command == UPGRADE:
        add_parent_arguments(parser)
    return parser


def parse(words: Sequence[str], *, command: str = RUN) -> RunOptions:
    """Parse words of a command line. Raises ConfigError for an unknown option."""
    return RunOptions.of(parser_of(command).parse(words), command=command)


def typed(options: RunOptions) -> dict[str, Any]:
    """Return the options that differ from their defaults, except the names of tests, fit for JSON."""
    default = dict(RunOptions().flat())
    return {
        name: _portable(value)
        for name, value in options.flat()
        if name not in _NOT_TYPED and value != default[name]
    }


def lasting(options: RunOptions) -> dict[str, Any]:
    """Return the same as `typed`, but with defaults from the current directory made explicit.

    The result means the same in any directory.
    """
    values = typed(options)
    if options.subject.workdir is None:
        values["workdir"] = _portable(options.subject.directory or Workdir.NONE)
    if not options.selection.exttest and Path("tests/kola").is_dir():
        values["exttest"] = [str(Path.cwd())]
    return values


def words(values: Mapping[str, Any], *, without: frozenset[str] = frozenset()) -> list[str]:
    """Return the options as typed: `--name=value`, which works for any value."""
    line = []
    for name, value in values.items():
        if name in without:
            continue
        option = f"--{name.replace('_', '-')}"
        for one in value if isinstance(value, list) else [value]:
            line.append(option if one is True else f"{option}={_word(one)}")
    return line


NOT_AGAIN = frozenset(
    {
        *("output_dir", "tapfile", "junitxml", "alluredir"),
        *("tag", "sharding", "multiply"),
        *("keep_on_failure", "ssh_on_test_failure"),
    }
)
"""Options that a rerun drops: the output files of the earlier run, those replaced by names of tests, and what
is to be done with machines of failed tests.
"""

_NOT_TYPED = frozenset({"patterns", "granted", "command"})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _portable(value: Any) -> Any:
    from harness.machine.spec import HostDirectory

    match value:
        case HostDirectory():
            return f"{value.host},{value.mount}"
        case tuple():
            return [_portable(one) for one in value]
        case None | bool() | int():
            return value
    return str(value)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
