"""Running commands and copying files: what comes back, and what is said when nothing does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fakes.lab import Lab, within

from harness.errors import DeadlineExceeded, InfrastructureError, MachineFailure
from harness.machine.ssh import AuthenticationRefused, CommandFailed, ConnectionLost, SshKey
from harness.platform.qemu.instance import QemuInstance
from harness.util.deadline import Deadline

MEGABYTE = 1 << 20


def test_status_and_both_streams_come_back_apart(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^mixed", "status": 3, "stdout": "out\n", "stderr": "err\n"}])
    done = lab.boot().run("mixed")
    assert (done.status, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)
    with pytest.raises(CommandFailed, match="`mixed` exited with status 3\nerr"):
        done.check()


def test_arguments_are_quoted_and_root_is_asked_for(lab: Lab) -> None:
    machine = lab.boot()
    awkward = 'it\'s $HOME; `x` "y" \\'
    assert machine.run(["echo", awkward]).stdout == awkward + "\n"
    assert machine.run(["echo", awkward], sudo=True).stdout == awkward + "\n"
    assert machine.run("whoami", sudo=True).stdout == "root\n"


def test_input_reaches_the_command(lab: Lab) -> None:
    machine = lab.boot()
    machine.run("cat > /tmp/note", input="words\n").check()
    assert machine.file("/tmp/note").text == "words\n"


def test_input_and_output_may_both_be_large(lab: Lab) -> None:
    machine = lab.boot()
    text = "0123456789abcde\n" * (MEGABYTE // 4)
    with within(15):
        assert machine.run("cat", input=text).stdout == text


def test_a_command_that_does_not_read_its_input_may_end(lab: Lab) -> None:
    with within(10):
        assert lab.boot().run("true", input="x" * 10 * MEGABYTE).ok


def test_a_command_that_never_reads_its_input_is_ended_by_its_timeout(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^ignore", "hang": True}])
    machine = lab.boot()
    with within(8), pytest.raises(DeadlineExceeded, match="running `ignore`"):
        machine.run("ignore", input="x" * 10 * MEGABYTE, timeout=5)


def test_output_comes_while_the_command_still_runs(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^talk", "stdout": "first\n", "hang": True}])
    machine = lab.boot()
    heard = threading.Event()
    with pytest.raises(DeadlineExceeded):
        machine.run("talk", timeout=5, on_output=lambda text: heard.set())
    assert heard.is_set()


def test_a_command_that_hangs_is_ended_by_its_timeout(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^wait", "stdout": "so far\n", "hang": True}])
    machine = lab.boot()
    with within(6), pytest.raises(DeadlineExceeded) as caught:
        machine.run("wait for it", timeout=5)
    assert caught.value.step == "running `wait for it`"
    assert caught.value.last_seen == "so far"
    assert machine.run("whoami").stdout == "nest\n", "the machine is of use afterwards"


def test_endless_output_does_not_outlast_the_timeout(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^yes", "size": -1}])
    machine = lab.boot()
    with within(10), pytest.raises(DeadlineExceeded, match="running `yes`"):
        machine.run("yes", timeout=5)


def test_a_guest_that_stands_still_is_not_waited_for_beyond_the_timeout(lab: Lab) -> None:
    machine = lab.boot()
    instance = machine.instance
    assert isinstance(instance, QemuInstance)
    instance.qmp.execute("stop", deadline=machine.deadline(50))
    with within(6), pytest.raises(DeadlineExceeded, match="running `whoami`"):
        machine.run("whoami", timeout=5)
    machine.limit(Deadline(1))
    with within(6), pytest.raises(DeadlineExceeded, match="reading /etc/hostname"):
        machine.get_bytes("/etc/hostname")


def test_a_slow_command_is_waited_for(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^slow", "delay": 1.0, "stdout": "done\n"}])
    done = lab.boot().run("slow")
    assert done.stdout == "done\n"
    assert done.seconds == pytest.approx(1, abs=0.6)


def test_a_hundred_megabytes_arrive_whole(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^dump", "size": 100 * MEGABYTE, "stderr": "end\n"}])
    machine = lab.boot()
    with within(20):
        done = machine.run("dump")
    assert len(done.stdout) == 100 * MEGABYTE
    assert done.stderr == "end\n"


@pytest.mark.parametrize(
    ("action", "error", "cause"),
    [
        ("exit", InfrastructureError, "qemu-exited"),
        ("host-disk-full", InfrastructureError, "host-disk-full"),
        ("panic", MachineFailure, "kernel-panic"),
    ],
)
def test_what_ends_the_machine_ends_the_command(
    lab: Lab, action: str, error: type[InfrastructureError] | type[MachineFailure], cause: str
) -> None:
    lab.fake.plan(commands=[{"match": "^work", "hang": True, "then": action}])
    machine = lab.boot()
    with within(6), pytest.raises(error) as caught:
        machine.run("work")
    assert caught.value.cause == cause


def test_a_connection_that_breaks_is_told_from_a_command_that_fails(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^cut", "hang": True, "then": "drop", "times": 1}])
    machine = lab.boot()
    with within(6), pytest.raises(ConnectionLost, match="during `cut the line`"):
        machine.run("cut the line")
    assert machine.run("whoami").stdout == "nest\n", "the next command connects again"


def test_passwords_and_other_keys_are_refused_as_such(lab: Lab) -> None:
    machine = lab.boot()
    with pytest.raises(AuthenticationRefused) as caught:
        machine.connect(password="anything")
    assert caught.value.methods == ("publickey",)
    with pytest.raises(AuthenticationRefused):
        machine.connect(key=SshKey.generate("stranger"))


def test_another_session_has_the_seconds_it_is_given(lab: Lab) -> None:
    lab.fake.plan(commands=[{"match": "^yes", "size": -1}])
    with lab.boot().connect() as session:
        assert session.run("whoami", timeout=20).stdout == "nest\n"
        with pytest.raises(DeadlineExceeded, match="running `yes`"):
            session.run("yes", timeout=1)


def test_polling_ends_with_an_answer_or_names_its_step(lab: Lab) -> None:
    machine = lab.boot()
    answers = iter(["", None, False, "found"])
    assert machine.poll(lambda: next(answers) or None, timeout=60, step="", interval=0.01) == "found"
    with pytest.raises(DeadlineExceeded, match="waiting for nothing; last seen: the end"):
        machine.poll(lambda: None, timeout=0.1, step="waiting for nothing", last_seen=lambda: "the end")


def test_files_go_there_and_back_with_their_mode(lab: Lab, tmp_path: Path) -> None:
    machine = lab.boot()
    script = tmp_path / "script"
    script.write_bytes(b"\x00\xff binary \n" * 10_000)
    script.chmod(0o755)
    machine.put(script, "/tmp/script")
    assert machine.file("/tmp/script").mode == 0o755
    machine.get("/tmp/script", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == script.read_bytes()
    assert machine.get_bytes("/tmp/script") == script.read_bytes()


def test_a_file_the_guest_does_not_have_is_missing_not_lost(lab: Lab) -> None:
    machine = lab.boot()
    assert not machine.file("/etc/nothing").exists
    with pytest.raises(FileNotFoundError):
        machine.get_bytes("/etc/nothing")


def test_a_full_disk_in_the_guest_is_said_in_its_words(lab: Lab) -> None:
    lab.fake.plan(disk_full=True)
    machine = lab.boot()
    with pytest.raises(CommandFailed, match="No space left on device"):
        machine.file("/var/data").write("too much")
    with pytest.raises(OSError):
        machine.put_bytes(b"too much", "/var/data")


def test_units_are_asked_and_waited_for(lab: Lab) -> None:
    lab.fake.plan(units={"a.service": {"UnitFileState": "disabled"}}, failed_units=["b.service"])
    machine = lab.boot()
    unit = machine.unit("a.service")
    assert (unit.active_state, unit.enabled_state) == ("inactive", "disabled")
    unit.start()
    machine.wait_for_unit("a.service")
    with within(5), pytest.raises(MachineFailure, match=r"b\.service has failed") as caught:
        machine.wait_for_unit("b.service")
    assert "status=1/FAILURE" in caught.value.evidence


def test_open_ports_are_waited_for(lab: Lab) -> None:
    machine = lab.boot()
    machine.wait_for_open_port(22)
    with within(6), pytest.raises(DeadlineExceeded, match="port 80"):
        machine.wait_for_open_port(80, timeout=3)


def test_the_console_can_be_typed_at(lab: Lab) -> None:
    machine = lab.boot()
    console = machine.console
    console.expect("login: ", timeout=300)
    console.send_line("nest")
    console.expect(r"nest@fake:~\$ ", timeout=300)
    console.send_line("echo one; echo two; echo three")
    assert console.expect(r"\n(one)\n", timeout=300)[1] == "one"
    assert console.expect(r"(t\w+)\n", timeout=300)[1] == "two"
    assert console.expect(r"(t\w+)\n", timeout=300)[1] == "three"


def test_the_screen_can_be_kept(lab: Lab) -> None:
    picture = lab.boot().screenshot()
    assert picture.read_bytes().startswith(b"\x89PNG")
