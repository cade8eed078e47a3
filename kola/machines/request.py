"""What `@pytest.mark.machine(...)` asks for, as a spec."""

from __future__ import annotations

import difflib
import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.machine.spec import Disk, Firmware, HostDirectory, MachineSpec
from harness.platform.qemu.template import Preparation

_AS_IN_SPEC = (
    "memory_mib",
    "cpus",
    "additional_nics",
    "numa_nodes",
    "internet",
    "network",
    "display",
    "swtpm",
    "kernel_args",
    "firstboot_kernel_args",
    "primary_size",
)
"""Keywords that are fields of MachineSpec under the same name."""

_KNOWN = (
    *_AS_IN_SPEC,
    "firmware",
    "disks",
    "primary_disk",
    "host_directories",
    "qemu_args",
    "ignition",
    "boot",
    "opt_out",
    "count",
    "prepare",
)

BOOTS = ("auto", "cold", "clone")


@dataclass(frozen=True)
class Verbatim:
    """What a machine finds in the place of its config, nothing added, so that nobody can log in.

    None is nothing at all.
    """

    content: bytes | None


@dataclass(frozen=True)
class MachineRequest:
    """One machine a test asks for. `opt_out` names health checks.

    `boot` is `auto`, `cold`, or `clone`: of a machine that `ignition` has configured already.
    `verbatim` is given in place of any config. `count` is how many such machines the test has at once,
    where it says so. `prepare` is done to the machine first; where it can be cloned, it is done once for all
    tests that ask for the same.
    """

    spec: MachineSpec
    ignition: IgnitionConfig | None = None
    boot: str = "auto"
    opt_out: frozenset[str] = frozenset()
    verbatim: Verbatim | None = None
    count: int | None = None
    prepare: Preparation | None = None

    @property
    def console_only(self) -> bool:
        """Whether nobody can log in over SSH."""
        return not self.spec.network or self.verbatim is not None


def request_from_markers(
    base: MachineSpec, markers: Iterable[Mapping[str, Any]], *, source: Path, line: int | None
) -> MachineRequest:
    """Merge keywords of markers, outermost first, over the run's default machine.

    Raises ConfigError naming the test's file and line for what no machine can be.
    """
    words: dict[str, Any] = {}
    for marker in markers:
        words |= marker
    try:
        return _request(base, words)
    except ConfigError as error:
        raise ConfigError(error.message, file=source, line=line, hint=error.hint) from None


def _request(base: MachineSpec, words: Mapping[str, Any]) -> MachineRequest:
    for key in words:
        if key not in _KNOWN:
            near = difflib.get_close_matches(key, _KNOWN, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_KNOWN)}"
            raise ConfigError(f"machine marker: unknown keyword {key!r}", hint=hint)
    spec = base
    for key in _AS_IN_SPEC:
        if key in words:
            spec = replace(spec, **{key: words[key]})
    if "disks" in words:
        spec = replace(spec, disks=tuple(Disk.parse(text) for text in words["disks"]))
    if "primary_disk" in words:
        spec = spec.with_primary(Disk.parse_primary(str(words["primary_disk"])))
    if "firmware" in words:
        spec = replace(spec, firmware=Firmware.parse(words["firmware"]))
    if "host_directories" in words:
        spec = replace(spec, host_directories=tuple(_directory(entry) for entry in words["host_directories"]))
    if "qemu_args" in words:
        spec = replace(spec, extra_qemu_args=(*spec.extra_qemu_args, *words["qemu_args"]))
    boot = words.get("boot", "auto")
    if boot not in BOOTS:
        raise ConfigError(
            f"machine marker: boot {boot!r}", hint='write boot="cold", boot="clone", or leave it out'
        )
    config, verbatim = _config(words["ignition"]) if "ignition" in words else (None, None)
    count = words.get("count")
    if count is not None and not (isinstance(count, int) and count > 0):
        raise ConfigError(f"machine marker: count {count!r}", hint="write how many machines, such as count=2")
    prepare = _preparation(words.get("prepare"))
    if prepare is not None and verbatim is not None:
        raise ConfigError(
            "machine marker: nobody can log in to prepare it", hint="leave out prepare, or ignition"
        )
    opt_out = frozenset(words.get("opt_out", ()))
    return MachineRequest(spec, config, boot, opt_out, verbatim, count, prepare)


def _config(given: Any) -> tuple[IgnitionConfig | None, Verbatim | None]:
    match given:
        case dict():
            return IgnitionConfig.from_dict(given), None
        case IgnitionConfig():
            return given, None
        case None | bytes():
            return None, Verbatim(given)
    raise ConfigError(
        f"machine marker: ignition {given!r}",
        hint="write a dict or an IgnitionConfig to be merged, bytes to be given as they are, or None",
    )


def _preparation(given: Any) -> Preparation | None:
    """The function, known by its name and by the file it stands in: a change there makes it another one."""
    if given is None:
        return None
    try:
        source = Path(inspect.getfile(given)).read_bytes()
    except (TypeError, OSError):
        raise ConfigError(
            f"machine marker: prepare {given!r}", hint="write a function that is given the machine"
        ) from None
    name = f"{given.__module__}.{given.__qualname__}"
    return Preparation(f"{name} {hashlib.sha256(source).hexdigest()}", given)


def _directory(entry: Any) -> HostDirectory:
    if isinstance(entry, HostDirectory):
        return entry
    raise ConfigError(
        f"machine marker: {entry!r} is no HostDirectory",
        hint='write HostDirectory(Path("data"), "/mnt/data")',
    )
