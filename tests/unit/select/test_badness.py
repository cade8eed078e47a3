"""Signs of trouble in console text, however it is cut into chunks."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from harness.machine.badness import PATTERNS, Hit, Scanner

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
    ("kernel-soft-lockup", "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", "kernel soft lockup"),
]


def scan(chunks: Iterable[bytes | str], **options: object) -> list[Hit]:
    scanner = Scanner(**options)  # type: ignore[arg-type]  # the tests' own keywords
    return [hit for chunk in chunks for hit in scanner.feed(chunk)] + scanner.close()


def slugs(hits: Iterable[Hit]) -> list[str]:
    return [hit.pattern.slug for hit in hits]


@pytest.mark.parametrize(("slug", "text", "message"), SAMPLES)
def test_every_sign_is_seen(slug: str, text: str, message: str) -> None:
    (hit,) = scan([f"before\n{text}\nafter\n"])
    assert (hit.pattern.slug, hit.line, hit.message, hit.text) == (slug, 2, message, text)


def test_every_pattern_has_its_sample() -> None:
    assert {slug for slug, *_ in SAMPLES} | {"bonding-storm"} == {pattern.slug for pattern in PATTERNS}


@pytest.mark.parametrize(("slug", "text", "message"), SAMPLES)
def test_chunks_may_cut_anywhere(slug: str, text: str, message: str) -> None:
    data = f"before\r\n\x1b[0;31m{text}\x1b[0m\r\nafter".encode()
    (hit,) = scan(data[at : at + 1] for at in range(len(data)))
    assert (hit.pattern.slug, hit.line) == (slug, 2)


def test_only_soft_lockups_are_mere_warnings() -> None:
    assert [pattern.slug for pattern in PATTERNS if pattern.warn_only] == ["kernel-soft-lockup"]
    lockup, oops = scan(["watchdog: BUG: soft lockup - CPU#0\nOops:\n"])
    assert (lockup.fatal, oops.fatal) == (False, True)


def test_ten_bonding_messages_make_a_storm_nine_do_not() -> None:
    assert scan([f"{BONDING}\nsomething else\n" * 9]) == []
    (hit,) = scan([f"{BONDING}\nsomething else\n" * 10])
    assert (hit.pattern.slug, hit.line) == ("bonding-storm", 19)


def test_bonding_messages_are_counted_across_chunks() -> None:
    assert slugs(scan([f"{BONDING}\n"] * 10)) == ["bonding-storm"]


def test_opting_out_by_slug() -> None:
    assert scan(["Oops:\n"], opt_out={"kernel-oops"}) == []


def test_a_prompt_counts_before_its_newline() -> None:
    scanner = Scanner()
    assert slugs(scanner.feed("\x1b[1mYou are in emergency mode")) == ["emergency-shell"]
    assert scanner.feed(". Type x\n") == []


def test_details_are_waited_for() -> None:
    scanner = Scanner()
    assert scanner.feed("Kernel panic - not syncing: VF") == []
    (hit,) = scanner.feed("S\n")
    assert hit.message == "kernel panic (VFS)"


def test_escapes_within_a_sign_do_not_hide_it() -> None:
    assert slugs(scan(["Kernel \x1b[1mpanic\x1b[0m - not\x1b]0;title\x07 syncing: x\r\n"])) == [
        "kernel-panic"
    ]


def test_bytes_that_are_not_text_do_no_harm() -> None:
    assert slugs(scan([b"\xff\xfe\x00 \xe4\xb8", b"\xad Oops:\n"])) == ["kernel-oops"]


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
    started = time.monotonic()
    scan([chunk])
    assert time.monotonic() - started < 5
