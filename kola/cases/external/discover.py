"""Discovery of external tests: the `tests/kola` trees of projects, each with a prefix of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import ConfigError
from kola.cases.broken import BrokenTest, unused_name
from kola.cases.external.metadata import Metadata, read_base, read_metadata
from kola.cases.external.names import LONGEST_NAME, name_fault, prefix_of, shown
from kola.cases.model import TestInfo

INSTALLED = Path("/usr/lib/coreos-assembler/tests/kola")
"""Directory in which packages install their tests, each in a directory of its own."""

_SUBTREE = Path("tests/kola")
_CONFIGS = ("config.ign", "config.bu")  # in order of preference
_OBSOLETE_CONFIG = "config.fcc"
_BASE = "kola.json"
_DATA = "data"
_SPECIAL = (*_CONFIGS, _OBSOLETE_CONFIG, _BASE, _DATA)
_DEFAULT_TEST = "test.sh"


@dataclass(frozen=True)
class Root:
    """A tree of tests, and the prefix of their names."""

    directory: Path
    prefix: str


@dataclass(frozen=True)
class ExternalTest:
    """An executable to run in the guest, with its config, data and metadata.

    `config` is the Ignition (`.ign`) or Butane (`.bu`) file of its directory, `data` the directory to upload
    with its symbolic links followed.
    """

    info: TestInfo
    executable: Path
    directory: Path
    config: Path | None
    data: Path | None
    metadata: Metadata


@dataclass(frozen=True)
class Discovery:
    """The tests of all trees, sorted by name."""

    tests: tuple[ExternalTest, ...] = ()
    broken: tuple[BrokenTest, ...] = ()
    warnings: tuple[str, ...] = ()


def find_roots(
    exttests: Sequence[Path] = (), *, workdir: Path | None = None, installed: Path = INSTALLED
) -> tuple[Root, ...]:
    """Return the trees to read: those of the `-E` directories, of the workdir's `src/config`, and the
    installed ones.

    Without `-E` the current directory is read. Raises ConfigError for an `-E` that is not a directory.
    """
    for given in exttests:
        if not given.is_dir():
            raise ConfigError(f"-E {given}: there is no such directory", hint="name the one above tests/kola")
    projects = list(exttests) or [Path()]
    if workdir is not None:
        projects.append(workdir / "src/config")
    roots: dict[tuple[str, str], Root] = {}
    for project in projects:
        absolute = Path(os.path.abspath(project))  # noqa: PTH100 - "..", but not links, resolved: the name counts
        if (absolute / _SUBTREE).is_dir():
            _require_utf8(absolute)
            root = Root(absolute / _SUBTREE, prefix_of(absolute.name))
            roots.setdefault((os.path.realpath(root.directory), root.prefix), root)
    if installed.is_dir():
        roots.setdefault((str(installed), "ext"), Root(installed, "ext"))
    return tuple(roots.values())


def _require_utf8(directory: Path) -> None:
    """Raise ConfigError for a path that is not UTF-8, since processes of a run exchange paths as UTF-8."""
    name = os.fsencode(directory).decode("utf-8", "replace")
    if name != str(directory):
        raise ConfigError(
            f"{name}: the path is not UTF-8", hint="rename the directory, or mount it elsewhere"
        )


def discover(roots: Iterable[Root]) -> Discovery:
    """Return every test of the trees. A broken test becomes a BrokenTest and does not affect others."""
    findings = _Findings()
    for root in roots:
        _search(root.directory, root.prefix, findings, above=())
    return findings.result()


@dataclass
class _Findings:
    tests: dict[str, ExternalTest] = field(default_factory=dict)
    broken: dict[str, BrokenTest] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, test: ExternalTest) -> None:
        name = test.info.name
        if len(name.encode()) > LONGEST_NAME:
            error = ConfigError(
                f"the test name {name[:60]}… is longer than {LONGEST_NAME} bytes",
                file=test.executable,
                hint="rename it, or the directories it is in",
            )
            self.fail(name[: LONGEST_NAME // 2], error, test.executable)
            return
        if name not in self.tests:
            self.tests[name] = test
            return
        error = ConfigError(
            f"the test name {name} is taken by {self.tests[name].executable}",
            file=test.executable,
            hint="rename one of them",
        )
        self.fail(f"{name}.duplicate", error, test.executable)

    def fail(self, name: str, error: ConfigError, path: Path) -> None:
        unique = unused_name(name, self.broken)
        self.broken[unique] = BrokenTest(unique, error, path)

    def result(self) -> Discovery:
        return Discovery(
            tests=tuple(self.tests[name] for name in sorted(self.tests)),
            broken=tuple(self.broken[name] for name in sorted(self.broken)),
            warnings=tuple(sorted(self.warnings)),
        )


@dataclass
class _Contents:
    """The names in one directory, by their role."""

    executables: list[str] = field(default_factory=list)
    special: set[str] = field(default_factory=set)
    subdirectories: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    dangling: list[str] = field(default_factory=list)


def _search(directory: Path, prefix: str, findings: _Findings, *, above: tuple[str, ...]) -> None:
    real = os.path.realpath(directory)
    if any(Path(real) in (Path(one), *Path(one).parents) for one in above):
        findings.warnings.append(f"{directory}: a symbolic link back to a directory above it, not followed")
        return
    try:
        contents = _contents(directory)
    except OSError as error:
        findings.fail(prefix, ConfigError(f"cannot be read: {error.strerror}", file=directory), directory)
        return
    for name in contents.subdirectories:
        fault = name_fault(name)
        if fault is None:
            _search(directory / name, f"{prefix}.{name}", findings, above=(*above, real))
        else:
            findings.fail(f"{prefix}.{shown(name)}", fault, directory)
    for name in contents.scripts:
        findings.warnings.append(
            f"{directory / name}: a script that others may not execute is no test;"
            f" make it one with chmod a+x, or move it to {_DATA}/"
        )
    for name in contents.dangling:
        if name not in _SPECIAL:
            fault = name_fault(name) or _dangling(directory / name)
            findings.fail(f"{prefix}.{shown(name)}", fault, directory)
    _add_tests(directory, prefix, contents, findings)


def _contents(directory: Path) -> _Contents:
    contents = _Contents()
    with os.scandir(directory) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        try:
            _sort(entry, contents)
        except OSError:  # a symbolic link that leads in a circle, or a directory we may not read
            contents.dangling.append(entry.name)
    return contents


def _sort(entry: os.DirEntry[str], contents: _Contents) -> None:
    if entry.is_dir():
        if entry.name == _DATA:
            contents.special.add(_DATA)
        else:
            contents.subdirectories.append(entry.name)
    elif entry.is_file():
        if entry.name in _SPECIAL and entry.name != _DATA:
            contents.special.add(entry.name)
        elif entry.stat().st_mode & 0o001:
            contents.executables.append(entry.name)
        elif _has_shebang(entry.path):
            contents.scripts.append(entry.name)
    elif entry.is_symlink():
        contents.dangling.append(entry.name)


def _add_tests(directory: Path, prefix: str, contents: _Contents, findings: _Findings) -> None:
    base: Mapping[str, object] = {}
    trouble = _trouble(directory, contents)
    if _BASE in contents.special and trouble is None:
        try:
            base = read_base(directory / _BASE)
        except ConfigError as error:
            trouble = error
    if trouble is not None and not contents.executables:
        findings.fail(prefix, trouble, directory)
    config = next((directory / name for name in _CONFIGS if name in contents.special), None)
    data = directory / _DATA if _DATA in contents.special else None
    for executable in contents.executables:
        path = directory / executable
        fault = name_fault(executable)
        if fault is not None:
            findings.fail(f"{prefix}.{shown(executable)}", fault, directory)
            continue
        name = prefix if contents.executables == [_DEFAULT_TEST] else f"{prefix}.{executable}"
        if trouble is not None:
            findings.fail(name, trouble, path)
            continue
        try:
            metadata = read_metadata(path, base)
        except ConfigError as error:
            findings.fail(name, error, path)
        else:
            if metadata.exclusive and metadata.conflicts:
                findings.warnings.append(f"{path}: `conflicts` means nothing without `exclusive: false`")
            findings.add(ExternalTest(metadata.info(name, path), path, directory, config, data, metadata))


def _trouble(directory: Path, contents: _Contents) -> ConfigError | None:
    """Return the error that breaks every test of the directory, if there is one."""
    if _OBSOLETE_CONFIG in contents.special:
        return ConfigError(
            f"{_OBSOLETE_CONFIG} is not read any more",
            file=directory / _OBSOLETE_CONFIG,
            hint="rename it to config.bu, and its variant to one that Butane knows",
        )
    lost = [name for name in contents.dangling if name in _SPECIAL]
    return _dangling(directory / lost[0]) if lost else None


def _dangling(path: Path) -> ConfigError:
    try:
        return ConfigError(f"a symbolic link to nowhere ({path.readlink()})", file=path)
    except OSError:  # no link, or one that we may not read
        return ConfigError("cannot be read", file=path)


def _has_shebang(path: str) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - once for every file that is no test
            return file.read(2) == b"#!"
    except OSError:
        return False
