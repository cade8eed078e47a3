"""Signs of trouble in console text, however it is cut into chunks."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from harness.machine.badness import Hit, Scanner
from harness.machine.signs import PATTERNS

BONDING = "bond0: link status up for interface eth0, enabling it in 200 ms"

SAMPLES = [
    ("emergency-shell", "Press Enter for emergency shell or wait 5 minutes for reboot.", "emergency shell"),
    ("emergency-shell", "[  OK  ] Starting Emergency Shell...", "emergency shell"),
    ("emergency-shell", "You are in emergency mode. After logging in", "emergency shell"),
    ("dracut-fatal", "dracut: Refusing to continue", "dracut fatal"),
    ("kernel-panic", "[1.0] Kernel panic - not syncing: VFS: no root", "kernel panic (VFS: no root)"),
    ("kernel-oops", "Oops: 0002 [#1] SMP", "kernel oops"),
    ("kernel-warning", "WARNING: CPU: 0 PID: 1 at kernel/x.c:3 f+0x1", "kernel warning (kernel/x.c:3 f+0x1)"),
    ("disk-failure", "sd 0:0:0:0: rejecting I/O to offline device", "disk failure under I/O"),
    (
        "ext4-delayed-allocation",
        "EXT4-fs (vda4): Delayed block allocation failed for inode 7"
        " at logical offset 0 with max blocks 2 with error 28",
        "ext4 delayed allocation (error 28)",
    ),
    (
        "grub-memory-corruption",
        "error: alloc magic is broken at 0x7f",
        "GRUB memory corruption (alloc magic)",
    ),
    ("grub-memory-corruption", "free magic broken", "GRUB memory corruption (free magic)"),
    (
        "ignition-fetch-cancelled",
        "ignition[512]: failed to fetch config: context canceled",
        "Ignition fetch cancellation",
    ),
    (
        "initrd-cleanup-terminated",
        "initrd-cleanup.service: Main process exited, code=killed, status=15/TERM",
        "initrd-cleanup terminated",
    ),
    ("go-panic", "panic: runtime error", "Go panic (runtime error)"),
    ("segfault", "x.service: Main process exited, code=dumped, status=11/SEGV", "segfault"),
    ("segfault", "[signal SIGSEGV: segmentation violation]", "segfault"),
    ("core-dump", "Process 1 (x) dumped core dump", "core dump"),
    ("core-dump", "Core dump to |/usr/lib/systemd", "core dump"),
    ("systemd-ordering-cycle", "a.service: Ordering cycle found, skipping", "systemd ordering cycle"),
    ("oom-killer", "bash invoked oom-killer: gfp_mask=0x1", "oom killer"),
    (
        "systemd-generator-failure",
        "systemd[1]: /usr/lib/systemd/system-generators/g failed with exit status 1.",
        "systemd generator failure (/usr/lib/systemd/system-generators/g)",
    ),
    (
        "oom-killer",
        "[9.1] Out of memory: Killed process 712 (tail) total-vm:1024kB, anon-rss:1kB",
        "oom killer (Killed process 712 (tail))",
    ),
    (
        "kernel-soft-lockup",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]",
        "kernel soft lockup (soft lockup - CPU#0 stuck for 22s! [x:1])",
    ),
    (
        "kernel-hard-lockup",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1",
        "kernel hard lockup (1)",
    ),
]

KERNEL_SIGNS = {
    "kernel-bug": [
        "kernel BUG at fs/foo.c:77!",
    ],
    "general-protection-fault": [
        "general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] SMP",
        "general protection fault, maybe for address 0x8: 0000 [#2] PREEMPT SMP",
        "general protection fault: 0000 [#1] SMP PTI",
    ],
    "kernel-oops": [
        "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP",
        "Internal error: synchronous external abort: 0000000096000210 [#1] SMP",
        "invalid opcode: 0000 [#1] SMP PTI",
        "divide error: 0000 [#1] PREEMPT SMP",
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "BUG: unable to handle page fault for address: ffffc90000000000",
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
        "Oops[#1]:",
        "Oops - load access fault [#1]",
    ],
    "kernel-memory-error": [
        "BUG: KASAN: slab-out-of-bounds in foo+0x10/0x20 [bar]",
        "BUG: KFENCE: use-after-free read in foo+0x10/0x20",
        "BUG: Bad page state in process bash  pfn:12345",
        "BUG: Bad rss-counter state mm:00000000 type:MM_ANONPAGES val:1",
        "BUG kmalloc-64 (Not tainted): Right Redzone overwritten",
    ],
    "ubsan": ["UBSAN: array-index-out-of-bounds in drivers/foo/bar.c:123:4"],
    "rcu-stall": [
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... } 21 jiffies s: 1",
    ],
    "hung-task": [
        "INFO: task kworker/0:1:12 blocked for more than 120 seconds.",
        "INFO: task jbd2/vda4-8:200 blocked in I/O wait for more than 122 seconds.",
    ],
    "lockdep": [
        "WARNING: possible circular locking dependency detected",
        "WARNING: possible recursive locking detected",
        "WARNING: possible irq lock inversion dependency detected",
        "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
        "WARNING: inconsistent lock state",
        "WARNING: bad unlock balance detected!",
        "WARNING: suspicious RCU usage",
        "WARNING: lock held when returning to user space!",
        "[ BUG: Invalid wait context ]",
    ],
    "scheduling-while-atomic": [
        "BUG: scheduling while atomic: x/1/0x00000002",
        "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580",
        "BUG: using smp_processor_id() in preemptible [00000000] code: x/1",
        "BUG: spinlock bad magic on CPU#0, x/1",
    ],
    "kernel-warning": [
        "WARNING: CPU: 1 PID: 77 at drivers/foo/bar.c:123 foo_probe+0x12/0x40",
        "WARNING: drivers/foo/bar.c:123 at foo_probe+0x12/0x40, CPU#1: kworker/1:2/77",
    ],
    "filesystem-error": [
        "EXT4-fs error (device vda4): ext4_lookup:1855: inode #2: comm ls: deleted inode referenced: 12",
        "EXT4-fs (vda4): Remounting filesystem read-only",
        "XFS (vda4): Metadata corruption detected at xfs_agf_verify+0x1/0x2",
        "XFS (vda4): Filesystem has been shut down due to log error (0x2).",
        "BTRFS info (device vda4: state EA): forced readonly",
    ],
    "kernel-soft-lockup": [
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [x:1]",
        "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
    ],
    "kernel-hard-lockup": ["watchdog: Watchdog detected hard LOCKUP on cpu 1"],
}

LOOK_ALIKES = [
    "RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks!",
    "[  OK  ] Listening on systemd-coredump.socket - Process Core Dump Socket.",
    "traps: x[712] general protection fault ip:401136 sp:7ffd00000000 error:0 in x[401000+1000]",
    "traps: x[712] trap invalid opcode ip:401136 sp:7ffd00000000 error:0 in x[401000+1000]",
    "kasan: KernelAddressSanitizer initialized",
    "rcu: Hierarchical RCU implementation.",
    "rcu: RCU calculated value of scheduler-enlistment delay is 25 jiffies.",
    "INFO: lockdep is turned off.",
    "BUG: MAX_LOCKDEP_CHAINS too low!",
    "INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.331 msecs",
    "INFO: task was done",
    "smpboot: CPU0: WARNING: something, CPU#0 is fine",
    "WARNING: Unable to determine the default kernel",
    "a program: Internal error: cannot go on",
    "xfs: XFS (vda4): Mounting V5 Filesystem",
    "XFS (vda4): Ending clean mount",
    "EXT4-fs (vda4): mounted filesystem with ordered data mode. Opts: (null)",
    "EXT4-fs (vda4): re-mounted. Opts: (null). Quota mode: none.",
    "BTRFS info (device vda4): disk space caching is enabled",
    "NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
    "systemd[1]: Stopped target emergency.target - Emergency Mode.",
    "systemd[1]: Started rescue-helper.service - Rescue Mode helper.",
    "dnf: bug-fix: kernel BUG reports are welcome",
]


def scan(chunks: Iterable[bytes | str], **options: object) -> list[Hit]:
    scanner = Scanner(**options)  # type: ignore[arg-type]  # the tests' own keywords
    return [hit for chunk in chunks for hit in scanner.feed(chunk)] + scanner.close()


def causes(hits: Iterable[Hit]) -> list[str]:
    return [hit.pattern.cause for hit in hits]


@pytest.mark.parametrize(("cause", "text", "message"), SAMPLES)
def test_every_sign_is_seen(cause: str, text: str, message: str) -> None:
    (hit,) = scan([f"before\n{text}\nafter\n"])
    assert (hit.pattern.cause, hit.line, hit.message, hit.text) == (cause, 2, message, text)


def test_every_pattern_has_its_sample() -> None:
    sampled = {cause for cause, *_ in SAMPLES} | set(KERNEL_SIGNS) | {"bonding-storm"}
    assert sampled == {pattern.cause for pattern in PATTERNS}


@pytest.mark.parametrize(
    ("cause", "text"), [(cause, text) for cause, texts in KERNEL_SIGNS.items() for text in texts]
)
@pytest.mark.parametrize(
    "before", ["[   12.345678] ", "[   12.345678][  T123] ", "Nov 28 20:01:02.1 kernel: "]
)
def test_what_the_kernel_says_is_known_on_console_and_in_the_journal(
    cause: str, text: str, before: str
) -> None:
    assert set(causes(scan([f"{before}{text}\n"]))) == {cause}


@pytest.mark.parametrize("text", LOOK_ALIKES)
@pytest.mark.parametrize("before", ["[   12.345678] ", "Nov 28 20:01:02.123456 somebody[1]: ", ""])
def test_harmless_look_alikes_stay_harmless(text: str, before: str) -> None:
    assert scan([f"{before}{text}\n"]) == []


@pytest.mark.parametrize(("cause", "text", "message"), SAMPLES)
def test_chunks_may_cut_anywhere(cause: str, text: str, message: str) -> None:
    data = f"before\r\n\x1b[0;31m{text}\x1b[0m\r\nafter".encode()
    (hit,) = scan(data[at : at + 1] for at in range(len(data)))
    assert (hit.pattern.cause, hit.line) == (cause, 2)


def test_only_what_a_busy_host_may_cause_is_a_mere_warning() -> None:
    assert {pattern.cause for pattern in PATTERNS if pattern.warn_only} == {"kernel-soft-lockup", "rcu-stall"}
    lockup, oops = scan(["watchdog: BUG: soft lockup - CPU#0\nOops:\n"])
    assert (lockup.fatal, oops.fatal) == (False, True)


def test_ten_bonding_messages_make_a_storm_nine_do_not() -> None:
    assert scan([f"{BONDING}\nsomething else\n" * 9]) == []
    (hit,) = scan([f"{BONDING}\nsomething else\n" * 10])
    assert (hit.pattern.cause, hit.line) == ("bonding-storm", 19)


def test_bonding_messages_are_counted_across_chunks() -> None:
    assert causes(scan([f"{BONDING}\n"] * 10)) == ["bonding-storm"]


def test_opting_out_by_slug() -> None:
    assert scan(["Oops:\n"], opt_out={"kernel-oops"}) == []


def test_a_prompt_counts_before_its_newline() -> None:
    scanner = Scanner()
    assert causes(scanner.feed("\x1b[1mYou are in emergency mode")) == ["emergency-shell"]
    assert scanner.feed(". Type x\n") == []


def test_details_are_waited_for() -> None:
    scanner = Scanner()
    assert scanner.feed("Kernel panic - not syncing: VF") == []
    (hit,) = scanner.feed("S\n")
    assert hit.message == "kernel panic (VFS)"


def test_escapes_within_a_sign_do_not_hide_it() -> None:
    assert causes(scan(["Kernel \x1b[1mpanic\x1b[0m - not\x1b]0;title\x07 syncing: x\r\n"])) == [
        "kernel-panic"
    ]


def test_bytes_that_are_not_text_do_no_harm() -> None:
    assert causes(scan([b"\xff\xfe\x00 \xe4\xb8", b"\xad Oops:\n"])) == ["kernel-oops"]


def test_signs_on_one_line_are_all_told_in_order_of_lines() -> None:
    hits = scan(["core dump\nKernel panic - not syncing: Oops: x\n"])
    assert [hit.line for hit in hits] == [1, 2, 2]


def test_a_flood_is_cut_off() -> None:
    assert len(scan(["Oops:\n" * 1000], limit=3)) == 3


def test_a_sign_in_an_endless_line_is_seen() -> None:
    (hit,) = scan(["x" * 100_000, "Oops:", "y" * 100_000])
    assert hit.line == 1
    assert len(hit.text) < 10_000


def test_ordinary_boot_messages_are_no_signs() -> None:
    boot = (
        "systemd[1]: Listening on Process Core Dump Socket.\n"
        "/usr/lib/systemd/system-generators/ostree-system-generator ran\n"
        "EXT4-fs (vda3): mounted filesystem\nfree magic beans\n"
    )
    assert scan([boot]) == []


@pytest.mark.parametrize(
    "chunk",
    [
        "[   12.345678] systemd[1]: \x1b[0;32mStarted\x1b[0m something ordinary.\r\n" * 100_000,
        "x" * 8_000_000,
        "WARNING: CPU: " * 500_000,
        "link status up for interface " * 300_000,
        "/system-generators/" * 300_000,
        "\x1b]" * 2_000_000,
        "\x1b[" + "0" * 8_000_000,
    ],
)
def test_megabytes_take_no_longer_for_being_nasty(chunk: str) -> None:
    started = time.process_time()
    scan([chunk])
    assert time.process_time() - started < 5
