"""Imports go one way: inside harness, inside kola, and through one door to each hypervisor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import harness
import kola

HARNESS = Path(harness.__file__).parent
KOLA = Path(kola.__file__).parent

HARNESS_ORDER = (
    ("util", "errors", "features"),
    ("artifact", "ignition"),
    ("butane",),
    ("machine",),
    ("platform",),
    ("installer", "services"),
    ("reference",),
)
"""A package may import those of its own row and of rows above it."""

KOLA_ORDER = (
    "facts",
    "cases",
    "report",
    "select",
    "run",
    "schedule",
    "machines",
    "keep",
    "shell",
    "plugin",
    "nosa",
    "cli",
)
"""A package may import those to its left."""

KNOWN_BACK_ARROWS: frozenset[tuple[str, str]] = frozenset()
"""Pairs of modules, importer first, that are still to be turned. Only ever to become fewer."""

CONCRETE = tuple(
    f"harness.platform.{path.name}"
    for path in sorted((HARNESS / "platform").iterdir())
    if path.is_dir() and path.name not in ("__pycache__", "parts")
)


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(path: Path) -> set[str]:
    """Every module named by an import, those inside functions and for type checkers included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, level=level, names=names):
                base = ".".join(word for word in (_relative(path, level), module) if word)
                found |= {base, *(f"{base}.{alias.name}" for alias in names)}
    return found


def _relative(path: Path, level: int) -> str:
    """The package that `level` dots stand for in a file; empty for an absolute import."""
    return ".".join(path.relative_to(HARNESS.parent).parts[:-level]) if level else ""


def package(module: str) -> str:
    """The second word: `machine` of harness.machine.ssh."""
    return module.split(".")[1] if "." in module else ""


def arrows(root: Path) -> Iterator[tuple[str, str]]:
    name = root.name
    for module, path in modules(root):
        for target in imports(path):
            if target.split(".")[0] == name and package(target) != package(module):
                yield module, target


def is_module(target: str) -> bool:
    root = HARNESS.parent.joinpath(*target.split("."))
    return root.with_suffix(".py").exists() or root.is_dir()


def test_harness_imports_neither_kola_nor_pytest() -> None:
    for module, path in modules(HARNESS):
        outside = {target.split(".")[0] for target in imports(path)}
        assert not outside & {"kola", "pytest", "testsuites"}, module


def test_no_arrow_points_back_in_harness() -> None:
    rank = {name: row for row, names in enumerate(HARNESS_ORDER) for name in names}
    back = {
        (module, target)
        for module, target in arrows(HARNESS)
        if package(module)
        and is_module(target)
        and package(target)
        and rank[package(target)] > rank[package(module)]
    }
    assert back == set()


def test_no_arrow_points_back_in_kola() -> None:
    rank = {name: place for place, name in enumerate(KOLA_ORDER)}
    back = {
        (module, target)
        for module, target in arrows(KOLA)
        if package(module) in rank
        and is_module(target)
        and package(target) in rank
        and rank[package(target)] > rank[package(module)]
    }
    assert back == KNOWN_BACK_ARROWS


def test_every_package_has_its_place() -> None:
    placed = {name for names in HARNESS_ORDER for name in names}
    assert {package(module) for module, _ in modules(HARNESS)} - {""} == placed
    assert {package(module) for module, _ in modules(KOLA)} - {"", "__main__"} == set(KOLA_ORDER)


def test_only_choose_imports_a_concrete_platform() -> None:
    assert CONCRETE
    importers = {
        module
        for root in (HARNESS, KOLA)
        for module, path in modules(root)
        for target in imports(path)
        for platform in CONCRETE
        if f"{target}.".startswith(f"{platform}.") and not f"{module}.".startswith(f"{platform}.")
    }
    assert importers == {"harness.platform.choose"}


def test_kola_knows_of_platforms_only_the_neutral_part() -> None:
    neutral = {f"harness.platform.{name}" for name in ("base", "choose", "fleet", "hosts", "templates")}
    used = {
        target
        for _, path in modules(KOLA)
        for target in imports(path)
        if target.startswith("harness.platform.") and is_module(target)
    }
    assert used <= neutral


def test_only_a_platform_of_this_host_reads_its_memory_and_cpus() -> None:
    """Everybody else asks Platform.capacity(), since the machines may be on another host."""
    readers = {
        module
        for root in (HARNESS, KOLA)
        for module, path in modules(root)
        if "harness.util.host" in imports(path)
    }
    assert readers == {
        "harness.platform.libvirt.platform",
        "harness.platform.libvirt.room",
        "harness.platform.qemu.platform",
        "kola.cli.ncpu",
    }


def test_suites_say_time_in_one_way() -> None:
    """Test authors give seconds as `timeout=`; deadlines are the harness's own affair."""
    suites = HARNESS.parent / "testsuites"
    speak_of_deadlines = {
        path.relative_to(suites).as_posix()
        for path in sorted(suites.rglob("*.py"))
        if re.search(r"\.deadline\(|deadline=machine", path.read_text(encoding="utf-8"))
    }
    assert speak_of_deadlines == set()
