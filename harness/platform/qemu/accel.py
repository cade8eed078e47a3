"""Which accelerator really runs a guest here, and how fast it is."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import ConfigError, InfrastructureError
from harness.util.deadline import Deadline
from harness.util.locks import exclusive
from harness.util.paths import cache_root
from harness.util.process import require, spawn

# A boot sector: `mov ecx, 40000000; again: dec ecx; jnz again; mov al, 16; out 0xf4, al; hlt`.
# isa-debug-exit turns the byte written into QEMU's exit status (16 << 1) | 1.
_LOOPS = 40_000_000
_SECTOR = (
    b"\x66\xb9" + _LOOPS.to_bytes(4, "little") + b"\x66\x49\x75\xfc\xb0\x10\xe6\xf4\xf4\xeb\xfd"
).ljust(510, b"\0") + b"\x55\xaa"
_PASSED = 33

# Emulation needs about this long for the loop on hardware where a default deadline is still comfortable.
_REFERENCE_SECONDS = 0.25
_TCG_BASE_SCALE = 2.0
_TCG_CPU = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand"
# Return addresses are signed everywhere; by the architected cipher a boot takes 2.6 times as long.
_TCG_CPU_AARCH64 = "max,pauth-impdef=on"

# For translated code, of which a boot makes 300 MiB. By default it is a gigabyte: what the boot before made
# stays, lookups become slower by it, and reboots take longer (benchmarks/reboot_time.py).
_TCG_CACHE_MIB = 256


@dataclass(frozen=True)
class Accelerator:
    """What goes after -accel and -cpu; deadlines are multiplied by `scale` (1 for KVM)."""

    name: str
    cpu: str
    scale: float
    note: str = ""

    @property
    def argument(self) -> str:
        return f"tcg,thread=multi,tb-size={_TCG_CACHE_MIB}" if self.name == "tcg" else self.name


def qemu_binary(arch: str) -> str:
    return f"qemu-system-{arch}"


def find_qemu(arch: str) -> Path:
    """ConfigError saying what to install when the host has no QEMU for `arch`."""
    package = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}.get(arch)
    if package is None:
        raise ConfigError(f"architecture {arch!r} is not supported", hint="use x86_64 or aarch64")
    return require(qemu_binary(arch), package=package)


def proven(arch: str = "x86_64") -> Accelerator:
    """The fastest accelerator that has run a guest since this host booted; the answer is cached.

    `COSA_NO_KVM` or `KOLA_ACCEL=tcg` in the environment forbids KVM.
    """
    binary = find_qemu(arch)
    forbidden = bool(os.environ.get("COSA_NO_KVM")) or os.environ.get("KOLA_ACCEL") == "tcg"
    if arch != "x86_64":
        return _foreign(arch, forbidden=forbidden)
    stamp = binary.stat().st_mtime_ns
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    kind = "tcg" if forbidden else "any"
    answer = cache_root() / "accelerator" / f"{arch}-{kind}.json"
    key = f"{boot} {binary} {stamp} {os.access('/dev/kvm', os.R_OK | os.W_OK)}"
    with exclusive(answer.with_suffix(".lock"), deadline=Deadline(120)):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(answer.read_text())
            if known["key"] == key:
                return Accelerator(**known["accelerator"])
        found = _probe(arch, try_kvm=not forbidden)
        scratch = answer.with_suffix(".new")
        scratch.write_text(json.dumps({"key": key, "accelerator": asdict(found)}))
        scratch.rename(answer)
        return found


def _foreign(arch: str, *, forbidden: bool) -> Accelerator:
    if platform.machine() == arch and not forbidden and os.access("/dev/kvm", os.R_OK | os.W_OK):
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
    seconds = _run_tiny_guest(arch, "tcg", _TCG_CPU, timeout=60)
    scale = _TCG_BASE_SCALE * min(5.0, max(1.0, seconds / _REFERENCE_SECONDS))
    return Accelerator("tcg", _TCG_CPU, round(scale, 1), note=note)


def _run_tiny_guest(arch: str, accel: str, cpu: str, *, timeout: float) -> float:
    """Seconds it took; InfrastructureError when it did not come to its end."""
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
        started = time.monotonic()
        child = spawn(argv, name=f"{accel} probe", pass_fds=[sector], stderr=subprocess.DEVNULL)
        status = child.wait(timeout)
        child.stop()
    finally:
        os.close(sector)
    if status != _PASSED:
        how = f"did not finish in {timeout:.0f} s" if status is None else f"QEMU {child.describe_exit()}"
        raise InfrastructureError(f"{accel}: {how}", cause="no-accelerator")
    return time.monotonic() - started
