"""Requests for machines: the keywords of `@pytest.mark.machine(...)` as a spec."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.machine.spec import Disk, Firmware, HostDirectory, MachineSpec, QemuOptions
from harness.platform.templates import Preparation
from harness.util.suggest import did_you_mean
from kola.machines.keywords import check_keywords

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
    "primary",
    "medium",
    "boot_order",
    "channels",
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
    """Raw content in place of a machine's config. Nothing is added, so nobody can log in.

    None means no config at all.
    """

    content: bytes | None


@dataclass(frozen=True)
class MachineRequest:
    """A machine that a test requests. `opt_out` names health checks.

    `boot` is `auto`, `cold`, or `clone`: a clone of a machine that `ignition` has configured already.
    `verbatim` replaces any config. `count` is the number of such machines that the test has at once, if it
    says so. `prepare` runs on the machine first; if the machine can be cloned, it runs once for all tests
    with the same request.
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
        """True when nobody can log in over SSH."""
        return not self.spec.network or self.verbatim is not None


def request_from_markers(
    base: MachineSpec, markers: Iterable[Mapping[str, Any]], *, source: Path, line: int | None
) -> MachineRequest:
    """Merge keywords of markers, outermost first, over the run's default machine.

    Raises ConfigError with the test's file and line for an impossible machine.
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
            raise ConfigError(f"machine marker: unknown keyword {key!r}", hint=did_you_mean(key, _KNOWN))
    check_keywords(words)
    spec = replace(base, **{key: words[key] for key in _AS_IN_SPEC if key in words})
    if "disks" in words:
        spec = replace(spec, disks=tuple(Disk.parse(text) for text in words["disks"]))
    if "primary_disk" in words:
        spec = spec.with_primary(Disk.parse_primary(str(words["primary_disk"])))
    if "firmware" in words:
        spec = replace(spec, firmware=Firmware.parse(words["firmware"]))
    if "host_directories" in words:
        spec = replace(spec, host_directories=tuple(_directory(entry) for entry in words["host_directories"]))
    if "qemu_args" in words:
        spec = replace(spec, qemu=QemuOptions((*spec.qemu.extra_args, *words["qemu_args"])))
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
    """Return the preparation.

    Its identity is the function's name and its file's content: a change there changes it.
    """
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
