"""Machines that are kept: started, entered through a terminal, listed, and ended, on the stand-in."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
from completing import words
from desk import Desk

from harness.util.deadline import Deadline


def test_a_detached_machine_is_listed_entered_and_stopped(desk: Desk) -> None:
    assert desk.spawn() == "m1"
    (machine,) = desk.ps()
    assert (machine["name"], machine["state"], machine["how"]) == ("m1", "running", "clone")
    assert machine["ends"] - machine["started"] == pytest.approx(4 * 3600)
    assert Path(machine["directory"], "console.txt").exists()
    listed = desk.kola("ps").stdout.splitlines()
    assert listed[0].split()[:4] == ["NAME", "STATE", "AGE", "LEFT"]
    assert listed[1].split()[0] == "m1"
    assert "3h59m" in listed[1]
    entered = desk.kola("ssh", "m1", "echo", "hello", "there")
    assert (entered.returncode, entered.stdout) == (0, "hello there\n"), entered.stderr
    assert desk.kola("ssh", "latest", "exit", "7").returncode == 7
    stopped = desk.kola("stop", "m1")
    assert (stopped.returncode, stopped.stdout) == (0, "m1 has ended\n")
    assert desk.ps() == []
    assert desk.left() == []
    with socket.socket() as probe:
        assert probe.connect_ex((machine["ssh"]["host"], machine["ssh"]["port"])) != 0


def test_a_shell_by_default_and_the_machine_ends_with_it(desk: Desk) -> None:
    with desk.terminal("spawn", *desk.image()) as terminal:
        terminal.expect(r"m1: .* \(clone\), until \d\d:\d\d; kola ssh m1")
        terminal.expect("nest@fake:~")
        terminal.type("echo I am in\r")
        terminal.expect("\nI am in")
        assert [machine["name"] for machine in desk.ps()] == ["m1"]
        terminal.type("exit 3\r")
        assert terminal.end() == 3
    assert desk.ps() == []
    assert desk.left() == []


def test_several_machines_are_on_one_network_and_names_are_short(desk: Desk) -> None:
    addresses = "eth1 UP 10.99.0.1/24 10.99.0.2/24\n"
    desk.checkout.fake.plan(commands=[{"match": "ip -4 -br address", "stdout": addresses}])
    assert desk.spawn("-c", "2").split() == ["m1", "m2"]
    (first, second) = desk.ps()
    assert first["pid"] == second["pid"]
    assert desk.spawn() == "m3"
    assert desk.kola("stop", "m1").returncode == 0
    assert desk.kola("ssh", "m2", "echo still there").stdout == "still there\n", "stopped one by one"
    assert desk.spawn() == "m1", "the lowest free name"
    assert desk.kola("stop", "latest").stdout == "m1 has ended\n"
    assert [machine["name"] for machine in desk.ps()] == ["m2", "m3"]


def test_the_console_is_shown_and_typed_to(desk: Desk) -> None:
    desk.spawn()
    with desk.terminal("console", "m1") as terminal:
        terminal.expect("Ctrl-\\] leaves")
        terminal.type("nest\r")
        terminal.expect("nest@fake:~")
        terminal.type("echo typed\r")
        terminal.expect("\ntyped")
        terminal.type("\x1d")
        terminal.expect("left the console of m1")
        assert terminal.end() == 0
    (machine,) = desk.ps()
    assert "echo typed" in Path(machine["directory"], "console.txt").read_text(), "the log goes on"
    with desk.terminal("console", "m1") as terminal:
        terminal.expect("echo typed")
        desk.kola("stop", "m1")
        terminal.expect("left the console of m1")
        assert terminal.end() == 0


def test_files_are_copied_both_ways(desk: Desk, tmp_path: Path) -> None:
    desk.spawn()
    (tmp_path / "note").write_text("a word\n")
    sent = desk.kola("scp", str(tmp_path / "note"), "m1:/var/tmp/note")
    assert sent.returncode == 0, sent.stderr
    assert desk.kola("ssh", "m1", "cat /var/tmp/note").stdout == "a word\n"
    fetched = desk.kola("scp", "m1:/var/tmp/note", str(tmp_path / "back"))
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "back").read_text() == "a word\n"
    assert "one machine" in desk.kola("scp", "a", "b").stderr


def test_a_screenshot_needs_a_display(desk: Desk, tmp_path: Path) -> None:
    desk.spawn()
    refused = desk.kola("screenshot", "m1")
    assert refused.returncode == 2
    assert "has no display" in refused.stderr
    assert "--display" in refused.stderr
    desk.spawn("--display")
    taken = desk.kola("screenshot", "-o", str(tmp_path / "shot.png"))
    assert (taken.returncode, taken.stdout) == (0, f"{tmp_path / 'shot.png'}\n"), taken.stderr
    assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")


def test_json_info_is_all_that_a_program_needs(desk: Desk) -> None:
    done = desk.kola("spawn", "--detach", "--json-info", *desk.image())
    (line,) = done.stdout.splitlines()
    info = json.loads(line)
    assert Path(info["ssh"]["key_file"]).stat().st_mode & 0o777 == 0o600
    entered = subprocess.run(
        f"{info['ssh']['command']} echo by hand", shell=True, capture_output=True, text=True, check=False
    )
    assert entered.stdout == "by hand\n", entered.stderr
    with socket.socket(socket.AF_UNIX) as console:
        here = os.open(Path(info["console"]).parent, os.O_PATH)
        console.connect(f"/proc/self/fd/{here}/console")
        os.close(here)
        console.settimeout(10)
        console.sendall(b"root\r")
        assert console.recv(4096)


def test_a_machine_ends_with_its_lifetime(desk: Desk) -> None:
    desk.spawn("--lifetime", "3s")
    Deadline(20).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def test_a_machine_that_powers_off_is_gone(desk: Desk) -> None:
    desk.spawn()
    desk.kola("ssh", "m1", "sudo -n poweroff")
    Deadline(20).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def test_a_command_instead_of_a_shell(desk: Desk) -> None:
    done = desk.kola("spawn", "-x", "echo once; exit 4", *desk.image())
    assert (done.returncode, done.stdout) == (4, "once\n")
    assert desk.ps() == []


def test_the_shell_comes_back_after_a_reboot(desk: Desk) -> None:
    with desk.terminal("spawn", "--reconnect", *desk.image()) as terminal:
        terminal.expect("nest@fake:~")
        terminal.type("sudo -n reboot\r")
        terminal.expect("m1: waiting for it to come back")
        terminal.expect("nest@fake:~")
        terminal.type("exit\r")
        assert terminal.end() == 0


def test_kill_of_the_keeper_takes_the_machine_and_the_list_tells(desk: Desk) -> None:
    desk.spawn()
    (machine,) = desk.ps()
    os.kill(machine["pid"], signal.SIGKILL)
    Deadline(5).poll(lambda: not running(machine["pid"]), step="waiting for the keeper to end")
    assert desk.ps() == []
    assert desk.left() == []
    assert desk.spawn() == "m1"


def test_kill_of_an_attended_spawn_ends_its_machine(desk: Desk) -> None:
    waiting = subprocess.Popen(
        desk.argv("spawn", "--idle", *desk.image()),
        env=desk.checkout.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    Deadline(60).poll(lambda: [one["state"] for one in desk.ps()] == ["running"], step="waiting for it")
    waiting.kill()
    waiting.wait()
    Deadline(20).poll(lambda: desk.ps() == [], step="waiting for the machine to end")
    assert desk.left() == []


def test_kill_of_ssh_leaves_the_machine(desk: Desk) -> None:
    desk.spawn()
    with desk.terminal("ssh") as terminal:
        terminal.expect("nest@fake:~")
    assert desk.kola("ssh", "m1", "echo still there").stdout == "still there\n"


def test_stop_ends_a_keeper_that_does_not_answer(desk: Desk) -> None:
    desk.spawn()
    (machine,) = desk.ps()
    Path(machine["console"]).with_name("control").unlink()
    assert desk.kola("stop", "--all").returncode == 0
    assert desk.ps() == []
    assert desk.left() == []


def test_a_config_of_ones_own_is_applied(desk: Desk, tmp_path: Path) -> None:
    butane = tmp_path / "my.bu"
    butane.write_text(
        "variant: nestos\nversion: 1.0.0\nstorage: {files: [{path: /etc/mine, contents: {inline: own}}]}\n"
    )
    desk.spawn("-B", str(butane), "-D", "1G", "--memory", "512")
    assert desk.kola("ssh", "m1", "cat /etc/mine").stdout == "own"
    (machine,) = desk.ps()
    command = (Path(machine["directory"]) / "qemu-command.txt").read_text()
    assert " -m 512" in command
    assert "disk1" in command


def test_qemuexec_shows_the_console_and_ends_with_it(desk: Desk) -> None:
    more = ["--", "-object", "rng-random,id=more"]
    line = ["qemuexec", *desk.image(), "-m", "512", "--add-ignition", "autologin", *more]
    with desk.terminal(*line) as terminal:
        terminal.expect("Linux version", seconds=90)
        terminal.expect("fake login: ")
        (machine,) = desk.ps()
        command = (Path(machine["directory"]) / "qemu-command.txt").read_text()
        assert " -m 512" in command
        assert "-object rng-random,id=more" in command
        assert "autologin" in (Path(machine["directory"]) / "ignition.json").read_text()
        terminal.type("\x1d")
        assert terminal.end() == 0
    assert desk.ps() == []
    assert desk.left() == []


def test_qemuexec_runs_a_command_once_the_guest_answers(desk: Desk) -> None:
    done = desk.kola("qemuexec", *desk.image(), "--hostname", "own", "-x", "cat /etc/hostname; exit 5")
    assert (done.returncode, done.stdout) == (5, "own\n"), done.stderr


def test_a_devshell_opens_when_the_guest_is_up_and_after_a_reboot(desk: Desk) -> None:
    workdir = desk.checkout.root
    desk.checkout.fake.plan(boots=[{"delay": 1.0}])
    with desk.terminal("qemuexec", "--devshell", *desk.image()) as terminal:
        if not Path("/usr/lib/qemu/virtiofsd").exists():
            terminal.expect("this host has no virtiofsd", seconds=60)
            return
        terminal.expect("Linux version|systemd|Started", seconds=90)
        terminal.expect("nest@fake:~")
        (machine,) = desk.ps()
        given = (Path(machine["directory"]) / "ignition.json").read_text()
        assert "nosa-devsh" in given
        assert "var-mnt-workdir.mount" in given
        terminal.type("sudo -n reboot\r")
        terminal.expect("waiting for it to come back")
        terminal.expect("nest@fake:~")
        terminal.type("exit\r")
        assert terminal.end() == 0
    assert workdir.is_dir()


def test_a_directory_is_served(desk: Desk) -> None:
    (desk.checkout.root / "page").write_text("served")
    serving = subprocess.Popen(
        desk.argv("http-server", "-P", "0"), cwd=desk.checkout.root, stdout=subprocess.PIPE, text=True
    )
    assert serving.stdout is not None
    with serving.stdout:
        port = serving.stdout.readline().split()[-1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/page") as answer:
            assert answer.read() == b"served"
        serving.send_signal(signal.SIGINT)
        assert serving.wait(10) == 130


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["spawn"], "a shell needs a terminal"),
        (["spawn", "--lifetime", "soon"], "expected a duration"),
        (["spawn", "--detach", "-i", "absent.ign"], "absent.ign"),
        (["spawn", "--detach", "-D", "huge"], "disk"),
        (["ssh"], "no machine is kept"),
        (["console", "m9"], "no machine is kept"),
        (["stop"], "name the machines to be stopped"),
        (["scp", "one"], "say what is to be copied"),
    ],
)
def test_wrong_input_is_one_sentence(desk: Desk, words: list[str], said: str) -> None:
    done = desk.kola(*words, *(desk.image() if words[0] == "spawn" else []))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_boot_that_fails_is_told_and_nothing_is_kept(desk: Desk) -> None:
    desk.checkout.fake.plan(boots=[{"fault": "kernel-panic"}])
    done = desk.kola("spawn", "--detach", "--cold", *desk.image())
    assert done.returncode == 1
    assert "kernel-panic" in done.stderr
    assert "a cold boot: --cold" in done.stderr
    assert desk.ps() == []
    assert desk.left() == []


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_names_of_kept_machines_are_completed(desk: Desk) -> None:
    assert [desk.spawn(), desk.spawn()] == ["m1", "m2"]
    for line, expected in (
        ("kola ssh ", ["m1", "m2", "latest"]),
        ("kola stop m1 m", ["m1", "m2"]),
        ("kola scp m2", ["m2:"]),
    ):
        assert words(line, cwd=desk.checkout.root, env=desk.checkout.environment()) == expected


def test_qemuexec_boots_from_the_network(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "tftp/grub").mkdir(parents=True)
    (tmp_path / "tftp/grub/net").write_text("a boot loader\n")
    line = ["qemuexec", *desk.image(), "--netboot", "grub/net", "--netboot-dir", str(tmp_path / "tftp")]
    with desk.terminal(*line, "--size", "20G", "--qemu-nvme") as terminal:
        terminal.expect("m1: ", seconds=90)
        (machine,) = desk.ps()
        command = (Path(machine["directory"]) / "qemu-command.txt").read_text()
        assert f"tftp={tmp_path / 'tftp'},bootfile=/grub/net" in command
        assert "nvme" in command
        assert str(desk.checkout.fake.image) not in command, "the disk is an empty one"
        terminal.type("\x1d")
        assert terminal.end() == 0
    for given, said in (
        (["--netboot", "absent"], "no such file"),
        (["--netboot", "../x", "--netboot-dir", str(tmp_path / "tftp")], "outside the directory"),
    ):
        (tmp_path / "x").touch()
        refused = desk.kola("qemuexec", *desk.image(), *given)
        assert refused.returncode == 2
        assert said in refused.stderr
