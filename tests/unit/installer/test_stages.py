"""The progress of an installation, detected in synthetic transcripts."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest
import transcripts as said

from harness.installer.signs import LIVE_ONLY, ORDER, Stage
from harness.installer.stages import LIMITS, StageFailure, StageTimeout, StageTracker


class Clock:
    """Ten seconds pass between two lines."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tell(tracker: StageTracker, lines: Iterable[str], clock: Clock) -> None:
    for line in lines:
        clock.now += 10
        tracker.console((line + "\r\n").encode())


def test_a_whole_installation_takes_every_stage(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, said.WHOLE, clock)
    tracker.wait(Stage.CHECKS)
    assert [timing.stage for timing in tracker.timings] == list(ORDER)
    took = {timing.stage: timing.seconds for timing in tracker.timings}
    assert took[Stage.FIRMWARE] == 20
    assert took[Stage.IMAGE_WRITTEN] == 20
    assert took[Stage.INSTALLED_UP] == 60
    assert "image written 20 s" in tracker.describe()


def test_a_live_system_without_installation(clock: Clock) -> None:
    tracker = StageTracker(LIVE_ONLY, clock=clock)
    tell(tracker, [said.MENU, said.KERNEL, said.INITRAMFS, said.SWITCH_ROOT], clock)
    assert tracker.stage is Stage.LIVE_UP
    tracker.signal("nestos-liveiso-success")
    tracker.wait(Stage.CHECKS)


def test_a_prompt_without_end_of_line_is_a_sign(clock: Clock) -> None:
    tracker = StageTracker(LIVE_ONLY, clock=clock)
    tracker.console(b"\x1b[0mnestos log")
    assert tracker.stage is Stage.FIRMWARE
    tracker.console(b"in: ")
    assert tracker.stage is Stage.CHECKS


def test_a_stage_that_shows_no_sign_is_passed_over(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, [said.KERNEL, said.SWITCH_ROOT], clock)
    assert [timing.seconds for timing in tracker.timings if timing.stage is Stage.BOOT_MENU] == [0]
    assert tracker.stage is Stage.LIVE_UP


def test_an_installation_looked_at_from_the_live_system(clock: Clock) -> None:
    tracker = StageTracker((*ORDER[:7], Stage.CHECKS), clock=clock)
    tell(tracker, [*said.UNTIL_INSTALLING, said.COMPLETE], clock)
    tracker.wait(Stage.CHECKS)


@pytest.mark.parametrize("last", range(1, len(said.UNTIL_INSTALLING)))
def test_a_stall_ends_with_its_own_stage(clock: Clock, last: int) -> None:
    tracker = StageTracker(clock=clock, scale=2)
    tell(tracker, said.UNTIL_INSTALLING[:last], clock)
    stalled = tracker.stage
    clock.now += 2 * LIMITS[stalled]
    with pytest.raises(StageTimeout) as raised:
        tracker.wait(Stage.CHECKS)
    assert raised.value.stage is stalled
    assert f"stage {stalled}: no end after" in str(raised.value)
    assert said.UNTIL_INSTALLING[last - 1] in str(raised.value)


def test_a_stall_of_the_second_boot_says_how_far_it_came(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, said.WHOLE[: said.WHOLE.index(said.DISK_KERNEL) + 1], clock)
    clock.now += LIMITS[Stage.INSTALLED_UP]
    with pytest.raises(StageTimeout, match="its boot had come as far as: kernel"):
        tracker.wait(Stage.CHECKS)


def test_the_cause_is_reported_and_not_the_end(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, said.UNTIL_INSTALLING, clock)
    tracker.journal("Nov 28 localhost nestos-installer-service[900]: Error: writing Ignition configuration")
    tell(tracker, ["    failed to validate Ignition configuration digest", "Error: install failed"], clock)
    with pytest.raises(StageFailure) as raised:
        tracker.wait(Stage.CHECKS)
    assert (raised.value.stage, raised.value.cause) == (Stage.IMAGE_WRITTEN, "config-hash")
    assert "then: Error: install failed" in str(raised.value)
    assert "nestos-installer-service[900]" in raised.value.evidence


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["Kernel panic - not syncing: VFS: Unable to mount root fs"], "kernel-panic"),
        (["dracut: Refusing to continue"], "dracut-fatal"),
        (["Press Enter for emergency shell or wait 5 minutes for reboot."], "emergency-target"),
        (["nestos-test-entered-emergency-target"], "emergency-target"),
        (["[FAILED] Failed to start nestos-installer.service - NestOS Installer."], "installer-unit-failed"),
        (['Error: getting absolute path to "/dev/vdz"', "Error: install failed"], "no-such-disk"),
        (["Error: found busy partitions", "Error: install failed"], "disk-in-use"),
        (
            ["source has sector size 512 but destination has sector size 4096", "Error: install failed"],
            "sector-size",
        ),
        (["Error: cannot perform offline install; metadata missing", "Error: install failed"], "no-osmet"),
        (["Out of memory: Killed process 1 (systemd)", "Kernel panic - not syncing: x"], "memory"),
        (["Kernel panic - not syncing: System is deadlocked on memory"], "memory"),
    ],
)
def test_signs_of_failure(clock: Clock, lines: list[str], name: str) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, [*said.UNTIL_INSTALLING, *lines], clock)
    with pytest.raises(StageFailure) as raised:
        tracker.wait(Stage.CHECKS)
    assert raised.value.cause == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("The rootfs image does not belong to this initramfs: 2, not 1.", "rootfs-mismatch"),
        (
            "Couldn't fetch, verify, and unpack image specified by nestos.live.rootfs_url=",
            "rootfs-mismatch",
        ),
        ("No rootfs image found.  Modify your PXE configuration to add the rootfs", "no-rootfs"),
        ("no medium with the volume id nestos-12 was found", "no-medium"),
    ],
)
def test_a_live_system_without_its_root_file_system_says_which(clock: Clock, line: str, name: str) -> None:
    tracker = StageTracker(clock=clock)
    until = said.UNTIL_INSTALLING[: said.UNTIL_INSTALLING.index(said.SWITCH_ROOT)]
    tell(tracker, [*until, line, "Entering emergency mode. Exit the shell to continue."], clock)
    with pytest.raises(StageFailure, match=line[:20]) as raised:
        tracker.wait(Stage.LIVE_UP)
    assert (raised.value.stage, raised.value.cause) == (Stage.INITRAMFS, name)


def test_a_trouble_brought_about_on_purpose_ends_nothing(clock: Clock) -> None:
    tracker = StageTracker(clock=clock, expected=["install-failed"])
    tell(tracker, [*said.UNTIL_INSTALLING, "Error: install failed", said.COMPLETE], clock)
    tracker.wait(Stage.REBOOT)


def test_a_fetch_that_is_tried_again_is_named_when_time_runs_out(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, [*said.UNTIL_INSTALLING, "Error fetching 'http://x/': timed out"], clock)
    clock.now += LIMITS[Stage.IMAGE_WRITTEN]
    with pytest.raises(StageTimeout, match="last trouble: Error fetching 'http://x/'"):
        tracker.wait(Stage.REBOOT)


def test_too_little_memory_for_the_initramfs_shows_a_stage_later(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    until = said.UNTIL_INSTALLING[: said.UNTIL_INSTALLING.index(said.INITRAMFS)]
    unpacking = "[    1.164012] Initramfs unpacking failed: write error"
    panic = "[    1.590528] Kernel panic - not syncing: No working init found."
    tell(tracker, [*until, unpacking, said.INITRAMFS, panic], clock)
    with pytest.raises(StageFailure, match="write error") as raised:
        tracker.wait(Stage.LIVE_UP)
    assert (raised.value.stage, raised.value.cause) == (Stage.INITRAMFS, "memory")


def test_a_cause_belongs_to_its_stage(clock: Clock) -> None:
    """A firmware that finds the empty disk first goes on to the medium; that explains nothing later."""
    tracker = StageTracker(clock=clock)
    tell(
        tracker, ["Boot failed: not a bootable disk", *said.UNTIL_INSTALLING, "Error: install failed"], clock
    )
    with pytest.raises(StageFailure) as raised:
        tracker.wait(Stage.CHECKS)
    assert raised.value.cause == "install-failed"


@pytest.mark.parametrize("line", [said.LIVE_COMMAND_LINE, said.MENU, said.LIVE_SIGNAL])
def test_the_medium_boots_again_instead_of_the_disk(clock: Clock, line: str) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, [*said.WHOLE[: said.WHOLE.index(said.RESTART) + 1], line], clock)
    with pytest.raises(StageFailure) as raised:
        tracker.wait(Stage.CHECKS)
    assert (raised.value.stage, raised.value.cause) == (Stage.INSTALLED_UP, "medium-booted-again")


def test_success_is_no_success_before_the_reboot(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tell(tracker, [*said.UNTIL_INSTALLING, said.INSTALLED_SIGNAL], clock)
    with pytest.raises(StageFailure) as raised:
        tracker.wait(Stage.CHECKS)
    assert (raised.value.stage, raised.value.cause) == (Stage.IMAGE_WRITTEN, "signal-too-early")


def test_a_reset_counts_as_the_reboot_only_after_the_installation(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    tracker.reset()
    assert tracker.stage is Stage.FIRMWARE
    tell(tracker, [*said.UNTIL_INSTALLING, said.COMPLETE], clock)
    tracker.reset()
    assert tracker.stage is Stage.INSTALLED_UP


def test_what_ends_the_machine_ends_the_wait(clock: Clock) -> None:
    with pytest.raises(RuntimeError, match="QEMU exited"):
        StageTracker(clock=clock).wait(Stage.CHECKS, interrupted=lambda: RuntimeError("QEMU exited"))


def test_waiters_are_woken_by_other_threads() -> None:
    tracker = StageTracker(LIVE_ONLY)
    teller = threading.Timer(0.05, tracker.signal, ["live-test-OK"])
    teller.start()
    tracker.wait(Stage.CHECKS)
    teller.join()


def test_a_stream_can_tell_while_its_waiter_is_asked_for_an_interruption(clock: Clock) -> None:
    """A reader's thread and the waiter held one lock each and wanted the other's."""
    tracker = StageTracker(clock=clock)

    def reads_streams() -> RuntimeError:
        reader = threading.Thread(target=tracker.console, args=(b"Linux version 6.6\n",), daemon=True)
        reader.start()
        reader.join(timeout=10)
        return RuntimeError("held up" if reader.is_alive() else "read")

    with pytest.raises(RuntimeError, match="read"):
        tracker.wait(Stage.CHECKS, interrupted=reads_streams)


def test_stages_are_published_with_their_seconds(clock: Clock) -> None:
    heard: list[dict[str, object]] = []
    tracker = StageTracker(clock=clock, publish=lambda kind, data: heard.append({"kind": kind, **data}))
    tell(tracker, said.WHOLE, clock)
    assert heard[0] == {"kind": "stage", "stage": "firmware", "seconds": 20}
    assert [entry["stage"] for entry in heard] == [
        "firmware", "boot menu", "kernel", "initramfs", "live system up", "install started",
        "image written", "reboot", "installed system up",
    ]  # fmt: skip


def test_a_line_cut_anywhere_is_read_whole(clock: Clock) -> None:
    tracker = StageTracker(clock=clock)
    for piece in (said.MENU + "\r\n[ 0.0] Linux ver", "sion 6.1\n"):
        tracker.console(piece.encode())
    assert tracker.stage is Stage.KERNEL
