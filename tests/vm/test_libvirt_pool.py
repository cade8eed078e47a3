"""A pool of two libvirt hosts, in network namespaces of their own: one by TCP, one by SSH."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kolarun import kola_run
from libvirtd import Daemon, far_daemon, far_session

from harness.platform import templates
from harness.platform.parts import disks

pytestmark = pytest.mark.vm

TESTS = ("basic", "misc.coredump", "nestos.users.shells")
NETWORK = "/usr/share/libvirt/networks/default.xml"


@pytest.fixture(scope="module", autouse=True)
def needed() -> None:
    programs = ("libvirtd", "virsh", "ip", "ssh", "ssh-keygen", "/usr/sbin/sshd")
    lacking = [program for program in programs if shutil.which(program) is None]
    lacking += [] if importlib.util.find_spec("libvirt") else ["libvirt-python"]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)} here: make libvirt-host installs what this needs")
    if os.geteuid() != 0:
        pytest.skip("only root may start a private system daemon")
    if subprocess.run(["ip", "netns", "add", "kola-try"], capture_output=True, check=False).returncode:
        pytest.skip("this host has no network namespaces")
    subprocess.run(["ip", "netns", "del", "kola-try"], check=True)


@pytest.fixture(scope="module", autouse=True)
def emulated() -> Iterator[None]:
    """A probe of KVM takes its time with each new daemon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOLA_ACCEL", "tcg")
        yield


def number(own: int) -> int:
    """The number of a network: there are ten, from 1 on, for each process that runs tests on this host."""
    return os.getpid() % 24 * 10 + own


@pytest.fixture(scope="module")
def short() -> Iterator[Callable[[], Path]]:
    """New directories with short paths, since paths of sockets are limited."""
    with ExitStack() as owned:

        def make() -> Path:
            path = Path(tempfile.mkdtemp(prefix="kola-lp", dir="/tmp"))
            owned.callback(shutil.rmtree, path, ignore_errors=True)
            path.chmod(0o755)
            return path / "d"

        yield make


@pytest.fixture(scope="module")
def host(short: Callable[[], Path]) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that are as far away as can be had here."""
    with ExitStack() as owned:

        def make(own: int, *, ssh: bool) -> Daemon:
            return owned.enter_context(far_daemon(short(), number(own), ssh=ssh))

        yield make


def nearby(daemon: Daemon) -> str:
    """The URI of the daemon's own socket."""
    return f"qemu+unix:///system?socket={daemon.directory}/sock/libvirt-sock"


def virsh(daemon: Daemon, *words: str) -> list[str]:
    command = ["virsh", "-q", "-c", nearby(daemon), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()


def volumes(daemon: Daemon) -> list[str]:
    return [word for word in virsh(daemon, "vol-list", "kola") if not word.startswith("/")]


def left_on(daemon: Daemon) -> list[str]:
    """Domains, and volumes other than images and templates, which stay for the next run."""
    left = [name for name in volumes(daemon) if not name.endswith((".img", ".ok"))]
    return virsh(daemon, "list", "--all", "--name") + [
        name for name in left if not name.startswith("template-")
    ]


def left_here() -> list[str]:
    directories = [disks.scratch_directory(), Path(tempfile.gettempdir())]
    return [str(path) for directory in directories for path in directory.glob("libvirt-*-*-*")]


def settled(state: Callable[[], Any], seconds: float, interval: float = 0.2) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if state():
            return True
        time.sleep(interval)
    return bool(state())


def consoles(output: Path) -> dict[str, Path]:
    """Consoles that have said something, by test."""
    return {path.parts[-3]: path for path in output.glob("*/*/console.txt") if path.stat().st_size}


def started(output: Path) -> dict[str, str]:
    """The host of each machine that was started, by its test."""
    lines = (output / "events.jsonl").read_text().splitlines() if output.exists() else []
    events = [json.loads(line) for line in lines]
    return {event["test"]: event["data"]["host"] for event in events if event["kind"] == "machine-start"}


def test_a_host_that_dies_takes_only_its_running_tests_which_go_to_the_other(
    reference: Path, host: Callable[..., Daemon], tmp_path: Path
) -> None:
    mortal, other = host(1, ssh=True), host(2, ssh=False)
    pool, output = tmp_path / "pool.toml", tmp_path / "out"
    pool.write_text(
        f'[[hosts]]\nname = "mortal"\nuri = "{mortal.uri}"\nmachines = 1\n'
        f'[[hosts]]\nname = "other"\nuri = "{other.uri}"\nssh = "{other.ssh}"\n'
        f'[[hosts]]\nname = "nowhere"\nuri = "qemu+unix:///system?socket={tmp_path}/none"\n'
    )
    words = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference), "-p", "libvirt"]
    words += ["--hosts", str(pool), "-j", "2", "--boot", "cold", "--output-dir", str(output), *TESTS]
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    try:
        # Half-way: a guest boots on each.
        assert settled(lambda: len(consoles(output)) > 1, 300), (tmp_path / "log").read_text()
        hosts = started(output)
        assert sorted(hosts.values()) == ["mortal", "other"]
        mortal.kill(signal.SIGKILL)
        mortal.reaper.terminate()  # and its machines
        run.wait(900)
    finally:
        run.kill()
    said = (tmp_path / "log").read_text()
    report = json.loads((output / "reports/report.json").read_text())
    tests = {test["name"]: test for test in report["tests"]}
    assert sorted(tests) == sorted(TESTS), said
    assert run.returncode == 0, said
    (moved,) = [test for test in tests.values() if test["flaky"]]
    assert {test["result"] for test in tests.values() if test is not moved} == {"PASS"}
    assert hosts[moved["name"]] == "mortal"
    assert (moved["cause"], moved["hosts"]) == ("host-lost", ["mortal", "other"])
    assert "passed on a fresh machine of other" in moved["reason"]
    assert all(test["hosts"] == ["other"] for test in tests.values() if test is not moved)
    assert "host nowhere has no libvirt daemon" in said
    assert "host mortal is lost" in said
    assert f"--- PASS: {next(name for name in TESTS if name != moved['name'])}" in said
    assert ") on other\n" in said
    assert 'name="host" value="mortal other"' in (output / "reports/junit.xml").read_text()
    assert left_on(other) == []
    assert left_here() == []


def qemus(daemon: Daemon) -> list[str]:
    """The machines whose processes are on the daemon's host."""
    space, found = Path(f"/proc/{daemon.pid}/ns/net").readlink(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and (entry / "ns/net").readlink() == space:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                found += [word.decode() for word in words if word.startswith(b"guest=kola-")]
    return found


def sent(daemon: Daemon) -> bool:
    """True while a machine's files are there: QEMU has not opened them yet."""
    return any((daemon.directory / "lib/images/kola").glob("libvirt-*-ignition"))


@pytest.mark.parametrize("ssh", [False, True], ids=["tcp, booting", "ssh, starting"])
def test_a_host_whose_link_fails_is_left_and_used_again_when_it_is_back(
    ssh: bool, reference: Path, host: Callable[..., Daemon], tmp_path: Path
) -> None:
    """The daemon and the machine live on behind the link, and go when it is up again."""
    far, other = host(6 + 2 * ssh, ssh=ssh), host(7 + 2 * ssh, ssh=not ssh)
    pool, output, log = tmp_path / "pool.toml", tmp_path / "out", tmp_path / "log"
    pool.write_text(
        f'[[hosts]]\nname = "far"\nuri = "{far.uri}"\nssh = "{far.ssh}"\n'
        f'[[hosts]]\nname = "other"\nuri = "{other.uri}"\nssh = "{other.ssh}"\n'
    )
    words = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference), "-p", "libvirt"]
    words += ["--hosts", str(pool), "-j", "1", "--boot", "cold", "--output-dir", str(output), *TESTS[:2]]
    with log.open("wb") as file:
        run = subprocess.Popen(words, stdout=file, stderr=file, start_new_session=True)
    try:
        assert settled(lambda: sent(far) if ssh else consoles(output), 300, interval=0.01), log.read_text()
        far.unplug()
        assert settled(lambda: "host far is lost: " in log.read_text(), 60), log.read_text()
        assert settled(lambda: "other" in started(output).values(), 60), log.read_text()
        far.plug()
        run.wait(900)
    finally:
        far.plug()
        run.kill()
    said = log.read_text()
    report = json.loads((output / "reports/report.json").read_text())
    assert run.returncode == 0, said
    tests = {test["name"]: test for test in report["tests"]}
    assert sorted(tests) == sorted(TESTS[:2]), said
    (moved,) = [test for test in tests.values() if test["flaky"]]
    (later,) = [test for test in tests.values() if test is not moved]
    assert (moved["cause"], moved["hosts"]) == ("host-lost", ["far", "other"])
    assert "passed on a fresh machine of other" in moved["reason"]
    assert "host far is back" in said
    assert (later["result"], later["hosts"]) == ("PASS", ["far"])
    for daemon in (far, other):
        assert left_on(daemon) == qemus(daemon) == []
    assert left_here() == []


def test_with_no_host_left_the_run_ends_with_that_cause(
    reference: Path, host: Callable[..., Daemon], tmp_path: Path
) -> None:
    only, output = host(3, ssh=False), tmp_path / "out"
    words = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference), "-p", "libvirt"]
    words += ["--libvirt-uri", only.uri, "--boot", "cold", "--output-dir", str(output), *TESTS]
    with (tmp_path / "log").open("wb") as log:
        run = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    try:
        assert settled(lambda: consoles(output), 300), (tmp_path / "log").read_text()
        only.kill(signal.SIGKILL)
        only.reaper.terminate()
        run.wait(60)
    finally:
        run.kill()
    report = json.loads((output / "reports/report.json").read_text())
    (test,) = report["tests"]
    assert (run.returncode, test["result"], test["cause"]) == (1, "FAIL", "host-lost")
    assert "the machines' host is lost" in report["interrupted"]
    assert "2 chosen tests never ran" in report["interrupted"]
    assert left_here() == []


def test_machines_of_another_host_are_clones_of_a_template_there(
    reference: Path, host: Callable[..., Daemon], tmp_path: Path
) -> None:
    far, pool = host(5, ssh=False), tmp_path / "pool.toml"
    pool.write_text(f'[[hosts]]\nuri = "{far.uri}"\nssh = "{far.ssh}"\n')
    words = ("-p", "libvirt", "--hosts", str(pool), "misc.coredump", "nestos.users.shells")
    outcome = kola_run(reference, tmp_path / "out", *words)
    keys = {name.split("-")[2] for name in volumes(far) if name.startswith("template-")}
    for key in keys:  # this daemon never comes back
        shutil.rmtree(templates.templates_home() / key)
    assert {test["result"] for test in outcome.tests.values()} == {"PASS"}, outcome.printed
    assert [test["boot"] for test in outcome.tests.values()] == [["clone"], ["clone"]]
    assert len(keys) == 1
    assert left_on(far) == []
    assert left_here() == []


def test_the_guides_command_gives_a_machine_and_what_it_made_is_removed(
    reference: Path, host: Callable[..., Daemon], tmp_path: Path
) -> None:
    if shutil.which("virt-install") is None:
        pytest.skip("no virt-install here: make libvirt-host installs it")
    far = host(4, ssh=True)
    virsh(far, "net-define", NETWORK)
    virsh(far, "net-start", "default")
    outcome = kola_run(reference, tmp_path / "out", "-p", "libvirt", "--libvirt-uri", far.uri, "libvirt.*")
    assert [test["result"] for test in outcome.tests.values()] == ["PASS"], outcome.printed
    assert left_on(far) == []
    assert virsh(far, "pool-list", "--all", "--name") == ["kola"]
    assert [path.name for path in (far.directory / "lib/images").iterdir()] == ["kola"]


def test_a_user_who_logs_in_elsewhere_has_machines_of_a_session_there(
    reference: Path, short: Callable[[], Path], tmp_path: Path
) -> None:
    home, pool, output = short(), tmp_path / "pool.toml", tmp_path / "out"
    with far_session(home, number(10)) as uri:
        images = home / "home/images"
        pool.write_text(f'[[hosts]]\nname = "far"\nuri = "{uri}"\ndirectory = "{images}"\n')
        words = ("-p", "libvirt", "--hosts", str(pool), "--boot", "cold", "basic")
        outcome = kola_run(reference, output, *words)
        assert [test["result"] for test in outcome.tests.values()] == ["PASS"], outcome.printed
        assert sorted(path.suffix for path in images.iterdir()) == [".img", ".ok"]
        assert left_here() == []


def test_without_a_host_the_run_ends_and_says_so(reference: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference), "-p", "libvirt"]
    for name in ("a", "b"):
        words += ["--libvirt-uri", f"qemu+unix:///system?socket={tmp_path}/{name}"]
    done = subprocess.run([*words, "basic"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no host of the pool can be used" in done.stderr
