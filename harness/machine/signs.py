"""Signs of trouble in consoles and journals: one pattern and one stable name each.

The kernel's messages are those of Linux 5.10 to 6.18: kernel/panic.c, lib/bug.c, arch/*/kernel/traps.c,
kernel/locking/lockdep.c, kernel/rcu/tree_stall.h, kernel/hung_task.c, kernel/watchdog.c, mm/kasan/report.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class BadnessPattern:
    """A sign of trouble. `cause` is the stable name by which a test opts out.

    `needles` are literal texts of which every match holds at least one: they make the scan of a large log
    cheap. A hit needs `repeats` matches.
    """

    name: str
    cause: str
    regex: re.Pattern[str]
    needles: tuple[str, ...]
    warn_only: bool = False
    repeats: int = 1

    def message(self, match: re.Match[str]) -> str:
        """Return the name, followed by the text of the pattern's groups in brackets."""
        detail = next((group.strip() for group in match.groups() if group), "")
        return f"{self.name} ({detail})" if detail else self.name


def _pattern(
    name: str, cause: str, regex: str, *needles: str, warn_only: bool = False, repeats: int = 1
) -> BadnessPattern:
    return BadnessPattern(name, cause, re.compile(regex), needles, warn_only, repeats)


# A kernel message stands at the start of a line, after its time stamp, or after `kernel: `.
_KERNEL = r"(?:^|\] ?|kernel: )"

# The original's bonding pattern spans ten messages with a lazy `.*?`; counting them is equivalent and takes
# linear time. The generator pattern is anchored at the first slash, and bounded, for the same reason.
PATTERNS: tuple[BadnessPattern, ...] = (
    _pattern(
        "emergency shell",
        "emergency-shell",
        r"Press Enter for emergency shell|Starting Emergency Shell"
        r"|You are in (?:emergency|rescue) mode",
        "Press Enter for emergency shell",
        "Starting Emergency Shell",
        "You are in emergency mode",
        "You are in rescue mode",
    ),
    _pattern(
        "dracut fatal",
        "dracut-fatal",
        r"dracut: Refusing to continue",
        "dracut: Refusing to continue",
    ),
    _pattern(
        "kernel panic",
        "kernel-panic",
        r"Kernel panic - not syncing: (.*)",
        "Kernel panic - not syncing: ",
    ),
    _pattern("kernel bug", "kernel-bug", r"kernel BUG at (\S{1,256}?:\d+)!", "kernel BUG at "),
    _pattern(
        "general protection fault",
        "general-protection-fault",
        # A process's own fault reads `traps: NAME[PID] general protection fault ip:…`, and dumps core.
        r"general protection fault(?:, [^:]{1,256}|)(?: 0x[0-9a-f]{1,16})?: [0-9a-f]{4} \[#\d+\]",
        "general protection fault",
    ),
    _pattern(
        "kernel oops",
        "kernel-oops",
        r"Oops:|Oops(?: - [^\[]{1,128})? ?\[#\d+\]|Internal error: ([^\[]{1,256}) \[#\d+\]"
        rf"|{_KERNEL}BUG: (?:unable to handle|kernel NULL pointer)"
        r"|((?:invalid opcode|divide error|stack segment|double fault|int3|alignment check|bounds"
        r"|segment not present|invalid TSS|control protection fault)): [0-9a-f]{4} \[#\d+\]"
        r"|Unable to handle kernel (?:NULL pointer|paging request|access)",
        "Oops",
        "BUG: ",
        " [#",
        "Unable to handle kernel ",
    ),
    _pattern(
        "kernel memory error",
        "kernel-memory-error",
        r"BUG: ((?:KASAN|KFENCE|KMSAN|KCSAN): .*)"
        rf"|{_KERNEL}BUG: (Bad (?:page state|page map|page cache|rss-counter state)\b.*)"
        rf"|{_KERNEL}BUG (\S{{1,64}} \([^)]{{1,256}}\): .{{1,256}})",
        "BUG: K",
        "BUG: Bad ",
        "BUG ",
    ),
    _pattern(
        "undefined behaviour in the kernel", "ubsan", r"UBSAN: (\S[^\n]{1,128} in \S{1,256}:\d+)", "UBSAN: "
    ),
    _pattern(
        "RCU stall",
        "rcu-stall",
        r"INFO: (rcu\w* (?:self-)?detected (?:expedited )?stalls? .*)",
        " detected stall",
        " self-detected stall",
        " detected expedited stall",
        warn_only=True,
    ),
    _pattern(
        "hung task",
        "hung-task",
        r"INFO: task (\S.{0,64}) blocked (?:in I/O wait )?for more than \d+ seconds",
        "INFO: task ",
    ),
    _pattern(
        "lock order",
        "lockdep",
        rf"{_KERNEL}(?:WARNING|\[ BUG|BUG): "
        r"(possible (?:circular locking dependency|recursive locking|irq lock inversion dependency) detected"
        r"|\S+ -> \S+ lock order detected|inconsistent lock state|bad (?:unlock|contention) balance detected"
        r"|held lock freed|lock held (?:when returning to user space|at task exit time)|suspicious RCU usage"
        r"|Invalid wait context|Nested lock was not taken|.{1,64} still has locks held)",
        "WARNING: ",
        "BUG: ",
        "[ BUG: ",
    ),
    _pattern(
        "scheduling while atomic",
        "scheduling-while-atomic",
        rf"{_KERNEL}BUG: (scheduling while atomic.*|sleeping function called from invalid context.*"
        r"|using \S{1,64} in preemptible.*|spinlock .*|rwlock .*|workqueue leaked (?:lock or )?atomic.*)",
        "BUG: ",
    ),
    _pattern(
        "kernel warning",
        "kernel-warning",
        r"WARNING: CPU: \d+ PID: \d+ at (.+)|WARNING: (\S{1,256}:\d+ at .{1,256}, CPU#\d+: .+)",
        "WARNING: CPU: ",
        ", CPU#",
    ),
    _pattern(
        "file system error",
        "filesystem-error",
        r"(EXT4-fs error \(device [^)]{1,64}\).*)|(EXT4-fs \([^)]{1,64}\): Remounting filesystem read-only)"
        r"|(XFS \([^)]{1,64}\): (?:Metadata corruption detected|Corruption of in-memory data"
        r"|.{0,128}[Ff]ilesystem has been shut down).*)"
        r"|(BTRFS:? .{1,128}(?:forced readonly|corrupt leaf).*)|(F2FS-fs \([^)]{1,64}\): .*fsck.*)",
        "EXT4-fs error ",
        ": Remounting filesystem read-only",
        "XFS (",
        "BTRFS",
        "F2FS-fs (",
    ),
    _pattern(
        "disk failure under I/O",
        "disk-failure",
        r"rejecting I/O to offline device",
        "rejecting I/O to offline device",
    ),
    _pattern(
        "bonding link status storm",
        "bonding-storm",
        r"link status up for interface [^,]{1,256}, enabling it in [0-9]+ ms",
        "link status up for interface ",
        repeats=10,
    ),
    _pattern(
        "ext4 delayed allocation",
        "ext4-delayed-allocation",
        r"EXT4-fs \([^)]{1,256}\): Delayed block allocation failed for inode \d+"
        r" at logical offset \d+ with max blocks \d+ with (error \d+)",
        ": Delayed block allocation failed for inode ",
    ),
    _pattern(
        "GRUB memory corruption",
        "grub-memory-corruption",
        r"((alloc|free) magic) (is )?broken",
        "alloc magic ",
        "free magic ",
    ),
    _pattern(
        "Ignition fetch cancellation",
        "ignition-fetch-cancelled",
        r"ignition\[[0-9]+\]: failed to fetch config: context canceled",
        ": failed to fetch config: context canceled",
    ),
    _pattern(
        "initrd-cleanup terminated",
        "initrd-cleanup-terminated",
        r"initrd-cleanup\.service: Main process exited, code=killed, status=15/TERM",
        "initrd-cleanup.service: Main process exited, ",
    ),
    _pattern("Go panic", "go-panic", r"panic: (.*)", "panic: "),
    _pattern("segfault", "segfault", r"SIGSEGV|=11/SEGV", "SIGSEGV", "=11/SEGV"),
    _pattern("core dump", "core-dump", r"[Cc]ore dump", "core dump", "Core dump"),
    _pattern(
        "systemd ordering cycle",
        "systemd-ordering-cycle",
        r"Ordering cycle found",
        "Ordering cycle found",
    ),
    _pattern(
        "oom killer",
        "oom-killer",
        r"invoked oom-killer|[Oo]ut of memory: (Killed process \d+ \([^)]{1,64}\))",
        " invoked oom-killer",
        "ut of memory: Killed process ",
    ),
    _pattern(
        "systemd generator failure",
        "systemd-generator-failure",
        r"^[^/]*(/.{0,512}/system-generators/.{0,256})"
        r" (failed with exit status|terminated by signal|failed due to unknown reason)",
        "/system-generators/",
    ),
    _pattern(
        "kernel soft lockup",
        "kernel-soft-lockup",
        r"BUG: (soft lockup - CPU#?\d.*|workqueue lockup - pool.*)",
        "BUG: soft lockup - CPU",
        "BUG: workqueue lockup - pool",
        warn_only=True,
    ),
    _pattern(
        "kernel hard lockup",
        "kernel-hard-lockup",
        r"[Ww]atchdog detected hard LOCKUP on cpu (\d+)",
        "atchdog detected hard LOCKUP on cpu ",
    ),
)
