"""kolet itself, run by this host's bash, with systemd played by a few lines of shell."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kola.shell
from harness.machine.ssh import Completed
from harness.util.deadline import Deadline
from kola.shell.news import Ended, ErrExit, RebootAsked, parse
from kola.shell.reboot import ABANDONED

KOLET = Path(kola.shell.__file__).parent / "guest/kolet"
SYSTEMCTL = """#!/bin/bash
world=$(dirname "$(dirname "$0")")
echo "$@" >>"$world/calls"
case $* in
    "start "*) setsid bash "$world/test" >>"$world/journal" 2>&1 & echo $! >"$world/pid" ;;
    *MainPID*) pid=$(<"$world/pid"); kill -0 "$pid" 2>/dev/null && echo "$pid" || echo 0 ;;
    *ExecMainCode*) cat "$world/properties" ;;
    status*) echo "the unit's status" ;;
    *basic.target*) echo 4711 ;;
    --version) echo "systemd 252" ;;
    is-system-running) cat "$world/state" ;;
esac
"""
SYSTEMD_RUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
KOLET_GRACE=0.2 setsid "$@" >>"$(dirname "$(dirname "$0")")/journal" 2>&1 &
"""
JOURNALCTL = """#!/bin/bash
case $1 in --sync) ;; *) cat "$(dirname "$(dirname "$0")")/journal" ;; esac
"""
WELL = "ActiveState=active\nResult=success\nExecMainCode=1\nExecMainStatus=0\n"
FAILED = "ActiveState=failed\nResult=exit-code\nExecMainCode=1\nExecMainStatus=3\n"


class World:
    """A guest in a directory: /run/kola, /tmp and the commands kolet calls."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / "bin").mkdir()
        (top / "tmp").mkdir()
        self._script("bin/systemctl", SYSTEMCTL)
        self._script("bin/journalctl", JOURNALCTL)
        self._script("bin/systemd-run", SYSTEMD_RUN)
        (top / "state").write_text("running\n")
        text = KOLET.read_text()
        moved = text.replace("/run/kola", f"{top}/run").replace("/usr/local/bin/kolet", f"{top}/bin/kolet")
        errexit = KOLET.with_name("kolet-errexit").read_text().replace("/run/kola", f"{top}/run")
        (top / "bin/kolet-errexit").write_text(errexit)
        self._script("bin/kolet", moved.replace('"/tmp/$name"', f'"{top}/tmp/$name"'))
        self.tells(WELL)
        (top / "journal").touch()

    def _script(self, name: str, text: str) -> None:
        (self.top / name).write_text(text)
        (self.top / name).chmod(0o755)

    def test_is(self, body: str) -> None:
        (self.top / "test").write_text(f"cd {self.top}/tmp\n{body}\n")

    def tells(self, properties: str) -> None:
        (self.top / "properties").write_text(properties)

    def start(self, *words: str) -> subprocess.Popen[str]:
        environ = os.environ | {"PATH": f"{self.top}/bin:{os.environ['PATH']}"}
        return subprocess.Popen(
            [f"{self.top}/bin/kolet", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environ,
        )

    def run_unit(self, action: str = "start", reboots: str = "exclusive") -> Ended | RebootAsked:
        process = self.start("run-unit", action, "the.service", "the-identifier", reboots)
        out, err = process.communicate(timeout=20)
        news = parse(Completed("kolet", process.returncode, out, err, 0.0))
        assert news is not None, (out, err)
        return news

    @property
    def journal(self) -> str:
        return (self.top / "journal").read_text()

    def close(self) -> None:
        pid = self.top / "pid"
        if pid.exists():
            try:
                os.killpg(int(pid.read_text()), signal.SIGKILL)
            except ProcessLookupError:
                return


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if sys.platform != "linux":
        pytest.skip("GNU tools are needed")
    made = World(tmp_path)
    yield made
    made.close()


def test_the_end_comes_with_status_and_output(world: World) -> None:
    world.test_is("echo hello; sleep 0.4; echo bye")
    news = world.run_unit()
    assert isinstance(news, Ended)
    assert news.passed
    assert news.output == "hello\nbye\n"
    assert news.unit_status == ""


def test_a_failure_shows_the_units_status(world: World) -> None:
    world.test_is("exit 3")
    world.tells(FAILED)
    news = world.run_unit()
    assert isinstance(news, Ended)
    assert (news.passed, news.exit_status) == (False, 3)
    assert news.unit_status == "the unit's status\n"


SCRIPT = """#!/bin/bash
set -euo pipefail
tolerated=$(false) || echo tolerated
if ! false; then
    echo "looks good so far"
fi
fails() {
    echo x |
        grep y
}
bash -ec false || :
fails
echo never said
"""


def test_the_command_at_which_the_shell_gives_up_is_noted(world: World) -> None:
    (world.top / "bin/script").write_text(SCRIPT)
    environ = f"BASH_ENV={world.top}/bin/kolet-errexit KOLA_UNIT=the.service"
    world.test_is(f"exec env {environ} bash {world.top}/bin/script")
    world.tells(FAILED.replace("=3", "=1"))
    news = world.run_unit()
    assert isinstance(news, Ended)
    assert news.output == "tolerated\nlooks good so far\n"
    assert news.errexit == ErrExit(1, f"{world.top}/bin/script", 9, "echo x | grep y")


def test_nothing_is_noted_of_a_test_that_ends_by_itself(world: World) -> None:
    (world.top / "bin/script").write_text("false\nset -e\nfalse || exit 1\n")
    environ = f"BASH_ENV={world.top}/bin/kolet-errexit KOLA_UNIT=the.service"
    world.test_is(f"exec env {environ} bash {world.top}/bin/script")
    world.tells(FAILED.replace("=3", "=1"))
    news = world.run_unit()
    assert isinstance(news, Ended)
    assert news.errexit is None


@pytest.mark.parametrize("mark", ["plain", "two  words", 'it\'s "quoted" $HOME `x` \\', "ünï", "-n"])
def test_a_mark_reaches_the_host_as_it_was_given(world: World, mark: str) -> None:
    (world.top / "mark").write_text(mark)
    world.test_is('./autopkgtest-reboot-prepare "$(<../mark)"; echo acknowledged; sleep 60')
    news = world.run_unit()
    assert isinstance(news, RebootAsked)
    assert (news.kind, news.mark, news.userspace) == ("hard", mark, "4711")


def test_the_test_goes_on_only_when_the_host_lets_it(world: World) -> None:
    world.test_is("./autopkgtest-reboot-prepare m; echo acknowledged; sleep 60")
    world.run_unit()
    assert "acknowledged" not in world.journal
    world.start("acknowledge").communicate(timeout=20)
    Deadline(10).poll(lambda: "acknowledged" in world.journal, step="waiting for the test to go on")
    calls = (world.top / "calls").read_text()
    assert "stop sshd.socket ssh.socket sshd.service ssh.service" in calls


def test_a_prepared_reboot_that_nobody_is_left_to_make_is_told(world: World) -> None:
    world.test_is("./autopkgtest-reboot-prepare m; sleep 1; echo over")
    world.run_unit()
    world.start("acknowledge").communicate(timeout=20)
    Deadline(10).poll(lambda: ABANDONED in world.journal, step="waiting for it to be told")
    assert world.journal.splitlines().index("over") < world.journal.splitlines().index(ABANDONED)


def test_a_test_that_ends_as_the_machine_goes_down_has_kept_its_word(world: World) -> None:
    world.test_is("./autopkgtest-reboot-prepare m; echo over")
    (world.top / "state").write_text("stopping\n")
    world.run_unit()
    world.start("acknowledge").communicate(timeout=20)
    Deadline(10).poll(lambda: "over" in world.journal, step="waiting for the test to end")
    asked = "is-system-running"
    Deadline(10).poll(lambda: asked in (world.top / "calls").read_text(), step="waiting for the question")
    assert ABANDONED not in world.journal


def test_reboot_does_it_itself_and_never_returns(world: World) -> None:
    world.test_is("./autopkgtest-reboot m; echo never")
    world.run_unit()
    world.start("acknowledge").communicate(timeout=20)
    calls = world.top / "calls"
    Deadline(10).poll(lambda: "reboot" in calls.read_text().split(), step="waiting for the reboot")
    assert "never" not in world.journal


@pytest.mark.parametrize("way", ["reboot", "reboot-prepare", "soft-reboot", "soft-reboot-prepare"])
def test_a_test_that_shares_its_machine_may_not(world: World, way: str) -> None:
    world.test_is(f"./autopkgtest-{way} m; echo status $?")
    news = world.run_unit(reboots="shared")
    assert isinstance(news, Ended)
    assert "exclusive: false" in news.output
    assert news.output.endswith("status 1\n")


def test_no_mark_is_an_error(world: World) -> None:
    world.test_is("./autopkgtest-reboot; echo status $?")
    news = world.run_unit()
    assert "a mark is missing" in news.output
    assert news.output.endswith("status 1\n")


def test_soft_reboot_is_refused_where_systemd_has_none(world: World) -> None:
    if Path("/usr/lib/systemd/system/soft-reboot.target").exists():
        pytest.skip("this host has it")
    world.test_is("./autopkgtest-soft-reboot m; echo status $?")
    assert "knows no soft-reboot: systemd 252" in world.run_unit().output


def test_after_a_lost_connection_the_host_may_watch_anew(world: World) -> None:
    world.test_is("sleep 1; ./autopkgtest-reboot-prepare m; sleep 60")
    lost = world.start("run-unit", "start", "the.service", "the-identifier", "exclusive")
    Deadline(10).poll(lambda: (world.top / "pid").exists(), step="waiting for the start")
    news = world.run_unit("watch")
    assert isinstance(news, RebootAsked)
    assert news.mark == "m"
    lost.communicate(timeout=20)


def test_a_report_does_not_wait(world: World) -> None:
    world.test_is("echo so far; sleep 60")
    lost = world.start("run-unit", "start", "the.service", "the-identifier", "exclusive")
    Deadline(10).poll(lambda: "so far" in world.journal, step="waiting for output")
    news = world.run_unit("report")
    assert isinstance(news, Ended)
    assert news.output == "so far\n"
    assert news.unit_status == "the unit's status\n"
    lost.kill()
    lost.communicate(timeout=20)


def test_outside_of_a_test_nobody_may_reboot(world: World) -> None:
    (world.top / "tmp/autopkgtest-reboot").symlink_to(world.top / "bin/kolet")
    done = subprocess.run([world.top / "tmp/autopkgtest-reboot", "m"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "nobody listens" in done.stderr


def test_marks_travel_as_base64() -> None:
    mark = base64.b64encode(b"not utf-8: \xff").decode()
    news = parse(Completed("kolet", 0, f"reboot hard {mark} 1\nwords\n", "", 0.0))
    assert isinstance(news, RebootAsked)
    assert news.mark.encode(errors="surrogateescape") == b"not utf-8: \xff"
