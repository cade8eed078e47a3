"""The platform libvirt on daemons of the tests' own: the verdicts of qemu, the user's image, and deaths."""

from __future__ import annotations

import hashlib
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
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest
from kolarun import Outcome, kola_run
from libvirtd import NOBODY, Daemon, session_daemon, system_daemon
from machinelab import MachineLab

from harness.errors import ConfigError
from harness.machine.machine import Machine
from harness.platform.choose import choose
from harness.platform.parts import disks
from harness.util.deadline import Deadline

pytestmark = pytest.mark.vm

SAMPLE = ("basic", "defaults.sshd.unknown-key-is-refused", "misc.coredump", "nestos.users.shells")
SERVICES = "ignition.remote.*"


@pytest.fixture(scope="module", autouse=True)
def libvirt() -> None:
    lacking = [program for program in ("libvirtd", "virsh") if shutil.which(program) is None]
    lacking += [] if importlib.util.find_spec("libvirt") else ["libvirt-python"]
    if lacking:
        pytest.skip(f"no {', '.join(lacking)} here: make libvirt-host installs what this needs")
    if os.geteuid() != 0:
        pytest.skip("only root may start a private system daemon")


@pytest.fixture(scope="module")
def short() -> Iterator[Callable[[], Path]]:
    """New directories with short paths, since paths of sockets are limited."""
    with ExitStack() as owned:

        def make() -> Path:
            path = Path(tempfile.mkdtemp(prefix="kola-lv", dir="/tmp"))
            owned.callback(shutil.rmtree, path, ignore_errors=True)
            path.chmod(0o755)
            return path / "d"

        yield make


@pytest.fixture(autouse=True, scope="module")
def emulated() -> Iterator[None]:
    """A probe of KVM takes its time with each new daemon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOLA_ACCEL", "tcg")
        yield


@pytest.fixture(scope="module")
def daemon(short: Callable[[], Path]) -> Iterator[Daemon]:
    with system_daemon(short()) as made:
        yield made


@pytest.fixture
def image(reference: Path) -> Path:
    found = sorted((reference / "builds/latest/x86_64").glob("*qemu*.qcow2"))
    return found[0].resolve()


def nature(image: Path) -> tuple[object, ...]:
    """Everything of the user's image that must not change."""
    stat = image.stat()
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    attributes = tuple(os.listxattr(image))
    return stat.st_uid, stat.st_gid, stat.st_mode, stat.st_mtime_ns, attributes, digest


def worker_of(daemon: Daemon) -> int:
    """The process that started the only domain, whose name begins with its number."""
    (name,) = daemon.domains()
    return int(name.removeprefix("kola-")[:6], 16)


def guests_of(process: int) -> list[str]:
    """Names of the domains' QEMUs that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [word.decode() for word in words if word.startswith(b"guest=kola-")]
    return [name for name in found if name.startswith(f"guest=kola-{process:06x}")]


def leftovers() -> list[str]:
    directories = [disks.scratch_directory(), Path(tempfile.gettempdir())]
    return [str(path) for directory in directories for path in directory.glob("libvirt-*-*-*")]


def settled(state: Callable[[], bool], seconds: float = 10) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if state():
            return True
        time.sleep(0.1)
    return state()


def results(outcome: Outcome) -> dict[str, str]:
    return {name: test["result"] for name, test in outcome.tests.items()}


def test_tests_have_the_verdicts_they_have_on_qemu(
    daemon: Daemon, reference: Path, image: Path, tmp_path: Path
) -> None:
    before = nature(image)
    on_libvirt = kola_run(
        reference, tmp_path / "libvirt", "-p", "libvirt", "--libvirt-uri", daemon.uri, *SAMPLE
    )
    on_qemu = kola_run(reference, tmp_path / "qemu", "-p", "qemu", *SAMPLE)
    assert results(on_libvirt) == results(on_qemu) == dict.fromkeys(SAMPLE, "PASS"), on_libvirt.printed
    boots = {name: test["boot"] for name, test in on_libvirt.tests.items()}
    assert boots == {name: test["boot"] for name, test in on_qemu.tests.items()}
    assert ["clone"] in boots.values()
    assert daemon.domains() == []
    assert leftovers() == []
    assert nature(image) == before


def test_what_libvirt_cannot_do_is_left_out_and_counted(
    daemon: Daemon, reference: Path, tmp_path: Path
) -> None:
    uri = ("-p", "libvirt", "--libvirt-uri", daemon.uri)
    outcome = kola_run(reference, tmp_path / "out", *uri, SERVICES)
    assert set(results(outcome).values()) == {"SKIP"}, outcome.printed
    assert all("seccomp_sandbox" in test["reason"] for test in outcome.tests.values())
    assert not any(test["boot"] for test in outcome.tests.values())


def test_services_work_where_the_daemon_has_no_sandbox(
    short: Callable[[], Path], reference: Path, tmp_path: Path
) -> None:
    with system_daemon(short(), sandbox=False) as open_handed:
        uri = ("-p", "libvirt", "--libvirt-uri", open_handed.uri)
        outcome = kola_run(reference, tmp_path / "out", *uri, "ignition.remote.remote-files")
        assert results(outcome) == {"ignition.remote.remote-files": "PASS"}, outcome.printed


def start_run(reference: Path, output: Path, daemon: Daemon) -> subprocess.Popen[bytes]:
    """Start a run, and wait until its machine runs."""
    words = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference)]
    words += [
        "-p",
        "libvirt",
        "--libvirt-uri",
        daemon.uri,
        "--output-dir",
        str(output),
        "--boot",
        "cold",
        "basic",
    ]
    with (output.parent / "run.log").open("wb") as log:
        run = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
    console = f"{output}/basic/*/console.txt"
    assert settled(lambda: any(path.stat().st_size for path in output.glob("basic/*/console.txt")), 90), (
        console
    )
    return run


def test_a_runner_that_is_killed_leaves_nothing(
    daemon: Daemon, reference: Path, image: Path, tmp_path: Path
) -> None:
    before = nature(image)
    run = start_run(reference, tmp_path / "out", daemon)
    worker = worker_of(daemon)
    run.kill()
    run.wait()
    assert settled(lambda: daemon.domains() == [] and guests_of(worker) == [], 5)
    assert leftovers() == []
    assert nature(image) == before


@pytest.fixture
def lab(reference: Path, tmp_path: Path) -> Iterator[MachineLab]:
    made = MachineLab(reference, tmp_path / "machines")
    yield made
    made.close()


def on(daemon: Daemon, lab: MachineLab) -> Machine:
    """A machine of this daemon's that has begun to boot."""
    lab.platform = choose("libvirt", "x86_64", uri=daemon.uri)
    machine = lab.power_on()
    assert machine.instance.console.wait_growth(0, 60)
    return machine


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
def test_a_daemon_that_dies_or_hangs_is_named_within_ten_seconds(
    sign: signal.Signals, short: Callable[[], Path], lab: MachineLab
) -> None:
    with system_daemon(short()) as mortal:
        machine = on(mortal, lab)
        pid = mortal.pid
        began = time.monotonic()
        mortal.kill(sign)
        assert machine.instance.incidents.wake.wait(15)
        took = time.monotonic() - began
        fatal = machine.instance.incidents.fatal
        assert fatal is not None
        assert (fatal.cause, fatal.infrastructure) == ("host-lost", True)
        assert took < 10
        machine.close()
        assert guests_of(os.getpid()) == []
        if sign is signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)


def test_a_qemu_that_dies_and_a_machine_that_others_destroy_are_told_apart(
    daemon: Daemon, lab: MachineLab
) -> None:
    first, second = on(daemon, lab), on(daemon, lab)
    os.kill(first.instance.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    daemon.virsh("destroy", second.instance.name)  # type: ignore[attr-defined]
    for machine, cause in ((first, "qemu-exited"), (second, "machine-killed")):
        assert machine.instance.incidents.wake.wait(10)
        assert machine.instance.incidents.fatal.cause == cause  # type: ignore[union-attr]
        machine.instance.wait_exit(Deadline(5))


def test_a_later_run_reaps_what_a_killed_daemons_run_left(
    reference: Path, short: Callable[[], Path], tmp_path: Path, lab: MachineLab
) -> None:
    """Autodestroy does not survive the daemon. The machines of others do not belong to us."""
    home = short()
    with system_daemon(home) as daemon:
        run = start_run(reference, tmp_path / "out", daemon)
        worker = worker_of(daemon)
        os.kill(worker, signal.SIGSTOP)  # so that it notices nothing
        foreign = "<domain type='qemu'><name>kola-foreign</name><memory>32768</memory>"
        foreign += "<os><type>hvm</type></os></domain>"
        (tmp_path / "foreign.xml").write_text(foreign)
        daemon.virsh("create", str(tmp_path / "foreign.xml"))
        with restarted(daemon):
            os.kill(worker, signal.SIGKILL)
            run.kill()
            run.wait()
            assert len(daemon.domains()) == 2
            machine = on(daemon, lab)
            names = daemon.domains()
            machine.close()
            assert "kola-foreign" in names
            assert not [name for name in names if name.startswith(f"kola-{worker:06x}")]


@contextmanager
def restarted(daemon: Daemon) -> Iterator[None]:
    """Kill the daemon, and start it again in the same mount namespace; its machines live on.

    The new one is not below the subreaper, and ends here.
    """
    old = daemon.pid
    with Path(f"/proc/{old}/ns/mnt").open("rb") as space:
        daemon.kill()
        again = ["nsenter", f"--mount=/proc/self/fd/{space.fileno()}", "libvirtd", "-d"]
        again += ["-f", f"{daemon.directory}/etc/libvirtd.conf", "-p", f"{daemon.directory}/pid"]
        assert settled(lambda: not Path(f"/proc/{old}").exists(), 5)
        (daemon.directory / "pid").unlink(missing_ok=True)
        subprocess.run(again, check=True, pass_fds=[space.fileno()])
    assert settled(lambda: (daemon.directory / "pid").exists(), 10)
    new = daemon.pid
    try:
        yield
    finally:
        os.kill(new, signal.SIGTERM)
        assert settled(lambda: not Path(f"/proc/{new}").exists(), 10)


@pytest.mark.parametrize("make", [session_daemon, system_daemon], ids=["session", "system"])
def test_an_ordinary_user_has_machines(
    make: Callable[[Path], AbstractContextManager[Daemon]],
    short: Callable[[], Path],
    image: Path,
) -> None:
    """As `nobody`, who reads this checkout and this Python by a capability: they may lie in root's home."""
    home = short()
    with make(home) as daemon:
        shared = home.parent / image.name
        try:
            os.link(image, shared)
        except OSError:
            shutil.copyfile(image, shared)
        before = nature(shared)
        mine = home.parent / "mine"
        places = {name: mine / name for name in ("cache", "tmp", "out")}
        for path in (mine, *places.values()):
            path.mkdir()
            os.chown(path, NOBODY, NOBODY)
        # fmt: off
        words = [
            "setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
            "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search",
            sys.executable, "-m", "kola.cli.main", "run", "-p", "libvirt", "--libvirt-uri", daemon.uri,
            "--workdir", "none", "--qemu-image", str(shared), "--boot", "cold",
            "--output-dir", str(places["out"] / "run"), "basic",
        ]
        # fmt: on
        own = {"HOME": str(mine), "XDG_CACHE_HOME": str(places["cache"]), "TMPDIR": str(places["tmp"])}
        environment = {**os.environ, **daemon.environment, **own, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            words, env=environment, cwd=mine, capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads((places["out"] / "run/reports/report.json").read_text())
        assert [test["result"] for test in report["tests"]] == ["PASS"]
        assert daemon.domains() == []
        assert list((places["cache"] / "kola/scratch").iterdir()) == []
        assert list(places["tmp"].glob("libvirt-*")) == []
        assert nature(shared) == before


def test_an_unknown_daemon_is_named(reference: Path, tmp_path: Path) -> None:
    uri = f"qemu+unix:///system?socket={tmp_path}/none"
    words = [sys.executable, "-m", "kola.cli.main", "run", "--workdir", str(reference)]
    words += ["-p", "libvirt", "--libvirt-uri", uri, "--output-dir", str(tmp_path / "out"), "basic"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"no libvirt daemon at {uri}" in done.stderr
    assert "make libvirt" in done.stderr
    with pytest.raises(ConfigError):
        choose("libvirt", "x86_64", uri="xen:///system")
