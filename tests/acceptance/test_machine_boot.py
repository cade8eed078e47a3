"""Each way in which a machine may not come up is told apart, by name, at once."""

from __future__ import annotations

import pytest
from fakes.lab import Lab, within

from harness.errors import ConfigError, DeadlineExceeded, InfrastructureError, MachineFailure
from harness.machine.spec import Firmware, QemuOptions
from harness.platform.parts import descriptors, firmware
from harness.platform.parts.firmware import FirmwareFiles
from harness.util.deadline import Deadline


def test_a_healthy_machine_answers_within_seconds(lab: Lab) -> None:
    with within(10):
        machine = lab.boot()
    assert len(machine.boot_id) == 36
    assert machine.check_health() == []


def test_what_was_shown_logged_and_given_is_kept(lab: Lab) -> None:
    lab.fake.plan(boots=[{"console": ["a line of mine"], "journal": ["a message of mine"]}])
    machine = lab.boot()
    machine.journal.wait_for("Startup finished", timeout=50)
    machine.close()
    kept = {path.name: path.read_text() for path in machine.directory.iterdir()}
    assert "a line of mine" in kept["console.txt"]
    assert "a message of mine" in kept["journal.txt"]
    assert kept["qemu-command.txt"].startswith("qemu-system-x86_64 ")
    assert "opt/com.coreos/config" in kept["qemu-command.txt"]
    host_key = lab.access.host_key
    assert host_key is not None
    assert lab.access.user in kept["ignition.json"]
    assert host_key.private.splitlines()[1] not in kept["ignition.json"]


def test_qemu_that_dies_at_start_says_why(lab: Lab) -> None:
    words = "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory"
    lab.fake.plan(exit_at_start={"status": 1, "stderr": words})
    with within(6), pytest.raises(InfrastructureError) as caught:
        lab.power_on()
    assert caught.value.cause == "qemu-exited"
    assert "exited with status 1" in str(caught.value)
    assert words in str(caught.value)


def test_an_argument_qemu_does_not_know_is_quoted(lab: Lab) -> None:
    with within(6), pytest.raises(InfrastructureError, match="-bogus: invalid option"):
        lab.power_on(qemu=QemuOptions(("-bogus",)))


@pytest.mark.parametrize(("mode", "step"), [("silent", "greeting"), ("deaf", "qmp_capabilities")])
def test_qemu_that_does_not_answer_names_the_step(lab: Lab, mode: str, step: str) -> None:
    lab.fake.plan(qmp=mode)
    with within(8), pytest.raises(DeadlineExceeded, match=step):
        lab.power_on(seconds=3)


def test_no_qemu_is_the_users_to_mend(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(lab.directory))
    with within(3), pytest.raises(ConfigError, match="no qemu-system-x86_64") as caught:
        lab.power_on()
    assert caught.value.hint == "apt-get install qemu-system-x86"


@pytest.mark.parametrize(
    ("fault", "name", "said"),
    [
        ("kernel-panic", "kernel-panic", "Attempted to kill init"),
        ("emergency-shell", "emergency-shell", "emergency"),
        ("initramfs", "initramfs-failure", "unexpected end of JSON input"),
        ("no-dhcp", "no-network", "does not answer on the network"),
        ("sshd-refuses", "ssh-refused", "refuses connections to port 22"),
    ],
)
def test_a_boot_that_goes_wrong_is_named(lab: Lab, fault: str, name: str, said: str) -> None:
    lab.fake.plan(boots=[{"fault": fault}])
    with within(20), pytest.raises(MachineFailure) as caught:
        lab.boot()
    assert caught.value.cause == name
    assert said in str(caught.value)
    assert "Linux version 6.6.0-fake" in caught.value.evidence


def test_qemu_that_dies_during_the_boot_ends_the_wait(lab: Lab) -> None:
    lab.fake.plan(boots=[{"fault": "qemu-exit"}])
    with within(6), pytest.raises(InfrastructureError) as caught:
        lab.boot()
    assert caught.value.cause == "qemu-exited"
    assert "the plan wants it to die at boot" in str(caught.value)


def test_silence_ends_with_the_deadline_and_says_what_was_awaited(lab: Lab) -> None:
    lab.fake.plan(boots=[{"fault": "silence"}])
    machine = lab.power_on()
    machine.limit(Deadline(1))
    with within(8), pytest.raises(DeadlineExceeded, match="waiting for sshd") as caught:
        machine.wait_reachable()
    assert 1 <= caught.value.seconds < 4


def test_a_slow_boot_is_waited_for(lab: Lab) -> None:
    lab.fake.plan(boots=[{"delay": 1.5}])
    machine = lab.boot()
    assert machine.run("whoami").stdout == "nest\n"


def test_a_key_that_is_refused_for_good_is_named(lab: Lab) -> None:
    lab.fake.plan(refuse_key=True)
    with within(10), pytest.raises(MachineFailure) as caught:
        lab.boot()
    assert caught.value.cause == "ssh-auth-refused"
    assert "nest" in str(caught.value)


def test_sessions_that_pam_does_not_open_are_named_with_the_reason(lab: Lab) -> None:
    reason = "error: PAM: pam_open_session(): Permission denied"
    lab.fake.plan(commands=[{"match": "boot_id", "status": 254, "journal": [f"sshd: {reason}"]}])
    with within(12), pytest.raises(MachineFailure) as caught:
        lab.boot()
    assert caught.value.cause == "login-session"
    assert f"every session ends at once with status 254: {reason}" in str(caught.value)


def test_a_shell_that_does_not_run_is_named_with_its_own_words(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "boot_id", "status": 1, "stderr": "bash: cannot be executed\n"}])
    with within(12), pytest.raises(MachineFailure, match="status 1: bash: cannot be executed") as caught:
        lab.boot()
    assert caught.value.cause == "login-session"


def test_sessions_that_end_until_the_boot_is_over_are_tried_again(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "boot_id", "status": 254, "times": 2}])
    assert lab.boot().run("whoami").stdout == "nest\n"


def test_logins_barred_until_the_boot_is_over_are_tried_again(lab: Lab) -> None:
    lab.fake.plan(refuse_key_times=1)
    assert lab.boot().run("whoami").stdout == "nest\n"


def test_an_sshd_that_hangs_up_is_tried_again(lab: Lab) -> None:
    lab.fake.plan(drop_logins=2)
    assert lab.boot().run("whoami").stdout == "nest\n"


def test_another_host_key_is_another_machine(lab: Lab) -> None:
    lab.fake.plan(wrong_host_key=True)
    with within(10), pytest.raises(MachineFailure) as caught:
        lab.boot()
    assert caught.value.cause == "ssh-host-key"


def test_a_machine_killed_on_purpose_says_for_what(lab: Lab) -> None:
    machine = lab.boot()
    machine.instance.kill("the test's time was up")
    with within(6), pytest.raises(InfrastructureError) as caught:
        machine.run("true")
    assert "the test's time was up" in str(caught.value)


def test_a_guest_that_was_up_before_anybody_asked_is_judged_by_the_same_clock(lab: Lab) -> None:
    lab.fake.plan(boots=[{"fault": "no-dhcp"}])
    machine = lab.power_on()
    machine.journal.wait_for("Startup finished", timeout=50)
    with within(20), pytest.raises(MachineFailure) as caught:
        machine.wait_reachable()
    assert caught.value.cause == "no-network"


def test_an_sshd_without_a_banner_is_named(lab: Lab) -> None:
    lab.fake.plan(boots=[{"fault": "sshd-mute"}])
    with within(12), pytest.raises(MachineFailure) as caught:
        lab.boot()
    assert caught.value.cause == "ssh-mute"
    assert "sends no banner" in str(caught.value)


@pytest.mark.parametrize("name", ["console.txt", "journal.txt"])
def test_a_full_disk_under_the_results_is_the_hosts_fault(lab: Lab, name: str) -> None:
    home = lab.directory / "machine-1"
    home.mkdir(parents=True)
    (home / name).symlink_to("/dev/full")
    with within(6), pytest.raises(InfrastructureError, match="No space left on device") as caught:
        lab.boot()
    assert caught.value.cause == "host-disk-full"


def test_firmware_the_host_lacks_costs_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = FirmwareFiles(lab.directory / "code", lab.directory / "vars", "some-package")
    monkeypatch.setattr(descriptors, "_directories", tuple)
    monkeypatch.setattr(firmware, "_OVMF", [nowhere])
    with pytest.raises(ConfigError, match="no uefi firmware") as caught:
        lab.power_on(firmware=Firmware.UEFI)
    assert caught.value.hint == "apt-get install some-package"
    assert lab.fake.launches == []
