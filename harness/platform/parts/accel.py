"""The accelerator that works on this host, and its speed."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.platform.base import SCALE_VARIABLE
from harness.util.deadline import Deadline
from harness.util.jsonfile import JsonFile
from harness.util.locks import exclusive
from harness.util.paths import cache_root
from harness.util.process import require, spawn

# A boot sector: `mov ecx, 40000000; again: dec ecx; jnz again; mov al, 16; out 0xf4, al; hlt`.
# isa-debug-exit turns the byte written into QEMU's exit status (16 << 1) | 1.
LOOPS = 40_000_000
_SECTOR = (b"\x66\xb9" + LOOPS.to_bytes(4, "little") + b"\x66\x49\x75\xfc\xb0\x10\xe6\xf4\xf4\xeb\xfd").ljust(
    510, b"\0"
) + b"\x55\xaa"
_PASSED = 33

# CPU seconds that emulation needs for the loop where twice the default deadline is comfortable.
_REFERENCE_SECONDS = 0.25
TCG_BASE_SCALE = 2.0
_TCG_MOST_SCALE = 4.0
TCG_CPU = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"
# Return addresses are signed everywhere; with the architected cipher a boot takes 2.6 times as long.
_TCG_CPU_AARCH64 = "max,pauth-impdef=on"

# Size of the cache for translated code, of which a boot makes 300 MiB. With the default of a gigabyte, code
# of the previous boot stays, lookups become slower, and reboots take longer (benchmarks/reboot_time.py).
TCG_CACHE_MIB = 256


@dataclass(frozen=True)
class Accelerator:
    """The values for -accel and -cpu, and the factor of deadlines `scale` (1 for KVM)."""

    name: str
    cpu: str
    scale: float
    note: str = ""

    @property
    def argument(self) -> str:
        return f"tcg,thread=multi,tb-size={TCG_CACHE_MIB}" if self.name == "tcg" else self.name


@dataclass(frozen=True)
class _Answer:
    """The accelerator found on this host; `key` changes with everything that may change it."""

    key: str
    accelerator: Accelerator


_FORMAT = JsonFile(_Answer, "a record of the accelerator")


def qemu_binary(arch: str) -> str:
    return f"qemu-system-{arch}"


def qemu_package(arch: str) -> str:
    """Return Debian's package with QEMU for `arch`. Raises ConfigError for an unsupported architecture."""
    package = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}.get(arch)
    if package is None:
        raise ConfigError(f"architecture {arch!r} is not supported", hint="use x86_64 or aarch64")
    return package


def find_qemu(arch: str) -> Path:
    """Return the path of QEMU for `arch`. Raises ConfigError with the package to install."""
    return require(qemu_binary(arch), package=qemu_package(arch))


def proven(arch: str = "x86_64") -> Accelerator:
    """Return the fastest accelerator that has run a guest since this host booted, with its current speed.

    The choice is cached. The factor for deadlines is measured anew, in CPU time, so that a busy host does not
    count as a slow one; `KOLA_DEADLINE_SCALE` in the environment overrides it. `COSA_NO_KVM` or
    `KOLA_ACCEL=tcg` forbids KVM. Raises ConfigError for a factor that is not a number from 0.1 to 100.
    """
    found = _runs_guests(arch)
    return found if found.name == "kvm" else replace(found, scale=_scale(arch, found))


def _scale(arch: str, accelerator: Accelerator) -> float:
    given = given_scale()
    if given is not None:
        return given
    if arch != "x86_64":
        return accelerator.scale
    return measured_scale(_run_tiny_guest(arch, accelerator.name, accelerator.cpu, timeout=60))


def given_scale() -> float | None:
    """Return the factor in `KOLA_DEADLINE_SCALE`, or None. Raises ConfigError when it is no such factor."""
    given = os.environ.get(SCALE_VARIABLE)
    if not given:
        return None
    try:
        scale = float(given)
    except ValueError:
        scale = 0.0
    if not 0.1 <= scale <= 100:
        raise ConfigError(
            f"{SCALE_VARIABLE}={given!r} is no factor for deadlines",
            hint="write a number from 0.1 to 100",
        )
    return scale


def measured_scale(seconds: float) -> float:
    """Return the factor for a host on which emulation needs this many CPU seconds for LOOPS."""
    return round(min(_TCG_MOST_SCALE, TCG_BASE_SCALE * max(1.0, seconds / _REFERENCE_SECONDS)), 1)


def forbidden() -> bool:
    """Return True when the environment forbids KVM."""
    return bool(os.environ.get("COSA_NO_KVM")) or os.environ.get("KOLA_ACCEL") == "tcg"


def _runs_guests(arch: str) -> Accelerator:
    binary = find_qemu(arch)
    if arch != "x86_64":
        return _foreign(arch)
    stamp = binary.stat().st_mtime_ns
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    kind = "tcg" if forbidden() else "any"
    answer = cache_root() / "accelerator" / f"{arch}-{kind}.json"
    key = f"{boot} {binary} {stamp} {os.access('/dev/kvm', os.R_OK | os.W_OK)}"
    with exclusive(answer.with_suffix(".lock"), deadline=Deadline(120)):
        with contextlib.suppress(ConfigError):
            known = _FORMAT.read(answer)
            if known.key == key:
                return known.accelerator
        found = _probe(arch, try_kvm=not forbidden())
        _FORMAT.write(answer, _Answer(key, found))
        return found


def _foreign(arch: str) -> Accelerator:
    if platform.machine() == arch and not forbidden() and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return Accelerator("kvm", "host", 1.0)
    return Accelerator("tcg", _TCG_CPU_AARCH64, 6.0, note=f"{arch} is emulated on {platform.machine()}")


def _probe(arch: str, *, try_kvm: bool) -> Accelerator:
    note = "KVM is switched off by the environment"
    if try_kvm:
        if not Path("/dev/kvm").exists():
            note = "this host has no /dev/kvm"
        elif not os.access("/dev/kvm", os.R_OK | os.W_OK):
            note = "/dev/kvm may not be opened by this user"
        else:
            try:
                _run_tiny_guest(arch, "kvm", "host", timeout=10)
            except InfrastructureError as error:
                note = f"/dev/kvm opens but did not run a tiny guest ({error.message})"
            else:
                return Accelerator("kvm", "host", 1.0)
    return Accelerator("tcg", TCG_CPU, TCG_BASE_SCALE, note=note)


def _run_tiny_guest(arch: str, accel: str, cpu: str, *, timeout: float) -> float:
    """Run the boot sector and return the CPU seconds it took.

    Raises InfrastructureError when it did not finish.
    """
    sector = os.memfd_create("kola-probe")
    try:
        os.write(sector, _SECTOR)
        # fmt: off
        argv = [
            qemu_binary(arch),
            "-accel", accel,
            "-cpu", cpu,
            "-m", "32",
            "-nodefaults",
            "-display", "none",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
            "-drive", f"file=/proc/self/fd/{sector},format=raw,if=ide",
        ]
        # fmt: on
        before = _children_seconds()
        child = spawn(argv, name=f"{accel} probe", pass_fds=[sector], stderr=subprocess.DEVNULL)
        status = child.wait(timeout)
        child.stop()
    finally:
        os.close(sector)
    if status != _PASSED:
        how = f"did not finish in {timeout:.0f} s" if status is None else f"QEMU {child.describe_exit()}"
        raise InfrastructureError(f"{accel}: {how}", cause="no-accelerator")
    return _children_seconds() - before


def _children_seconds() -> float:
    """Return the CPU seconds of all ended children of this process."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
