"""The flags of kola's commands, by topic. `pytest --kola "…"` takes those of `kola run`."""

from __future__ import annotations

import argparse

from kola.run.argtypes import (
    firmware,
    host_directory,
    parallel,
    path,
    pytest_words,
    rerun_tags,
    size,
    whole,
    workdir,
)
from kola.run.parser import Switch, titled_group

PLATFORM_ALIASES = {"iso": "qemu-iso"}

_MOST_MIB = 16 * 1024 * 1024
_MOST_CPUS = 4096


def add_command_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all flags of `kola run`."""
    add_selection_arguments(parser)
    add_subject_arguments(parser)
    add_run_arguments(parser)
    add_report_arguments(parser)
    add_machine_arguments(parser)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the course of a run."""
    run = parser.add_argument_group("the run")
    run.add_argument("-j", "--parallel", type=parallel, default=1, metavar="N|auto", help="tests at once (1)")
    run.add_argument(
        "--extend-timeout-percentage",
        type=whole(0, 10_000, "a percentage"),
        default=0,
        metavar="P",
        help="P %% more time",
    )
    run.add_argument(
        "--boot",
        choices=["auto", "cold"],
        metavar="auto|cold",
        default="auto",
        help="cold: no clones, but a boot for each test",
    )
    run.add_argument(
        "--isolation",
        choices=["machine", "bucket"],
        metavar="machine|bucket",
        default="machine",
        help="bucket: external tests with exclusive: false share machines",
    )
    run.add_argument("--rerun", action=Switch, help="repeat failed tests once; a pass is `flaky`")
    run.add_argument(
        "--allow-rerun-success",
        type=rerun_tags,
        metavar="tags=TAG,…",
        help="with --rerun: only tests with such a tag may pass at the second attempt",
    )
    run.add_argument("--keep-on-failure", action=Switch, help="keep failed tests' machines; see kola ps")
    run.add_argument("--ssh-on-test-failure", action=Switch, help="open a shell in a failed test's machine")
    run.add_argument(
        "--verify-clones",
        action=Switch,
        help="run a sample of the tests that ran in clones once more, cold, and fail where they disagree",
    )
    run.add_argument(
        "--strict-profile",
        action=Switch,
        help="fail tests that depend on an unknown field of the distribution's profile",
    )
    run.add_argument(
        "--on-warn-failure-exit-77",
        action=Switch,
        help="exit with 77 when only tests failed whose failure is a warning",
    )
    run.add_argument(
        "--pytest-args",
        type=pytest_words,
        default="",
        metavar="ARGS",
        help="further arguments for pytest, with an equals sign: --pytest-args='-x'",
    )


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for results and reports."""
    results = parser.add_argument_group("results")
    results.add_argument("--output-dir", type=path, metavar="DIR", help="where results go")
    results.add_argument("-v", "--verbose", action=Switch, help="show the output of passed tests, too")
    results.add_argument("--tapfile", type=path, metavar="FILE", help="write the TAP report here as well")
    results.add_argument("--junitxml", type=path, metavar="FILE", help="write the JUnit report here as well")
    results.add_argument("--allure", action=Switch, help="write Allure results to OUTPUT/reports/allure")
    results.add_argument("--alluredir", type=path, metavar="DIR", help="write Allure results to DIR instead")


def add_filter_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the flags of `kola list` and `kola run` that find and filter tests. Returns their group."""
    tests = parser.add_argument_group("tests")
    tests.add_argument(
        "patterns",
        metavar="PATTERN",
        nargs="*",
        help="names of tests, also with `*`, `?`, `[a-z]`",
    )
    tests.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="TAG",
        help="only with this tag; `!TAG`: without it (repeatable)",
    )
    tests.add_argument(
        "-E",
        "--exttest",
        action="append",
        default=[],
        type=path,
        metavar="DIR",
        help="and those in DIR/tests/kola (repeatable; else in .)",
    )
    tests.add_argument("--no-net", action=Switch, help="leave out what needs the Internet")
    tests.add_argument("-p", "--platform", type=_platform, metavar="PLATFORM", help="qemu or libvirt")
    tests.add_argument(
        "--also-distro",
        action="append",
        default=[],
        metavar="DISTRO",
        help="offer tests for this distribution too (repeatable)",
    )
    build = parser.add_argument_group("the build")
    build.add_argument(
        "--workdir", type=workdir, metavar="DIR", help="the build directory (else .); `none` for none"
    )
    build.add_argument("-b", "--distro", metavar="DISTRO", help="the distribution under test")
    build.add_argument("--arch", metavar="ARCH", help="the architecture of the build")
    return tests


def add_selection_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all flags that determine the tests of a run."""
    tests = add_filter_arguments(parser)
    tests.add_argument(
        "--denylist-test",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave these tests out (repeatable)",
    )
    tests.add_argument(
        "--denylist-stream",
        metavar="STREAM",
        help="the stream whose entries of kola-denylist.yaml apply",
    )
    tests.add_argument(
        "--run-platform-independent",
        action=Switch,
        help="run platform-independent tests on this platform, too",
    )
    tests.add_argument(
        "--sharding",
        metavar="hash:M/N",
        help="share M of N by name; time:M/N: by duration",
    )
    tests.add_argument(
        "--multiply",
        type=whole(1, 10_000, "how often each test runs,"),
        default=1,
        metavar="N",
        help="run every test N times",
    )


def add_subject_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the build or image under test, except --workdir, --arch and --distro, which also
    filter tests.
    """
    subject = titled_group(parser, "the build")
    subject.add_argument("--build", default="latest", metavar="ID", help="build id, latest, or -1, -2 …")
    subject.add_argument("--qemu-image", type=path, metavar="FILE", help="a disk image instead of a build")
    subject.add_argument("--qemu-iso", type=path, metavar="FILE", help="a live ISO instead of the build's")
    subject.add_argument(
        "--qemu-image-backing",
        action=Switch,
        help="let a qcow2 image read other files of this host as its backing or data file",
    )


def add_parent_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the start of an upgrade."""
    origin = parser.add_argument_group("where the upgrade starts (or --qemu-image FILE)")
    choice = origin.add_mutually_exclusive_group()
    choice.add_argument(
        "--find-parent",
        "--find-parent-image",
        action=Switch,
        help="the build before the one under test (default)",
    )
    choice.add_argument("--parent", metavar="ID", help="this build, or -1, -2 … before the one under test")
    origin.add_argument(
        "--qemu-image-dir",
        type=path,
        metavar="DIR",
        help="where an older image is, if there is no older build",
    )


def add_host_arguments(group: argparse._ArgumentGroup, *, all_flags: bool = True) -> None:
    """Add the flags for the daemons of `-p libvirt`, or only those that name daemons."""
    group.add_argument(
        "--libvirt-uri",
        action="append",
        default=[],
        metavar="URI",
        help="with -p libvirt: the daemon (qemu:///system for root, else qemu:///session; repeatable)",
    )
    group.add_argument("--hosts", type=path, metavar="FILE", help="with -p libvirt: the hosts in this file")
    if not all_flags:
        return
    group.add_argument(
        "--host-tag",
        action="append",
        default=[],
        metavar="TAG",
        help="with --hosts: only hosts with this tag (repeatable)",
    )
    group.add_argument(
        "--libvirt-network",
        metavar="NAME",
        help="with -p libvirt: machines have an interface on this network, and are reached there",
    )


def add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags for machines and their configs."""
    qemu = parser.add_argument_group("machines")
    add_host_arguments(qemu)
    qemu.add_argument("--qemu-firmware", type=firmware, metavar="KIND", help="bios, uefi or uefi-secure")
    qemu.add_argument("--qemu-size", type=size, metavar="[+]SIZE", help="size of the primary disk")
    qemu.add_argument(
        "--qemu-memory",
        type=whole(64, _MOST_MIB, "a number of MiB"),
        metavar="MIB",
        help="memory of each machine",
    )
    qemu.add_argument(
        "--qemu-cpus",
        type=whole(1, _MOST_CPUS, "a number of CPUs"),
        default=1,
        metavar="N",
        help="CPUs of each machine",
    )
    add_disk_options(qemu)
    qemu.add_argument(
        "--qemu-bind-ro",
        action="append",
        default=[],
        type=host_directory,
        metavar="HOST[,GUEST]",
        help="show a directory of this host to guests, read-only (repeatable)",
    )
    qemu.add_argument(
        "--qemu-arg",
        action="append",
        default=[],
        metavar="ARG",
        help="one more argument for QEMU, with an equals sign: --qemu-arg=-smbios (repeatable)",
    )
    config = parser.add_argument_group("their config")
    config.add_argument(
        "--append-ignition",
        action="append",
        default=[],
        type=path,
        metavar="FILE",
        help="merge this Ignition config into each (repeatable)",
    )
    config.add_argument(
        "--append-butane",
        action="append",
        default=[],
        type=path,
        metavar="FILE",
        help="merge this Butane config into each (repeatable)",
    )
    config.add_argument(
        "--debug-systemd-unit",
        action="append",
        default=[],
        metavar="UNIT",
        help="log this unit at debug level (repeatable)",
    )
    live = parser.add_argument_group("installations")
    live.add_argument("--inst-insecure", action=Switch, help="install images by URL without a signature")
    live.add_argument(
        "--pxe-kargs", default="", metavar="ARGS", help="add these kernel arguments to network boots"
    )


def add_disk_options(group: argparse._ArgumentGroup) -> None:
    """Add the flags of `kola run` for the primary disk and the TPM."""
    group.add_argument("--qemu-multipath", action=Switch, help="primary disk on two paths")
    group.add_argument("--qemu-native-4k", action=Switch, help="4096-byte sectors")
    group.add_argument("--qemu-512e", action=Switch, help="512-byte sectors on a 4096-byte disk")
    group.add_argument("--qemu-nvme", action=Switch, help="primary disk on NVMe")
    group.add_argument(
        "--qemu-swtpm", "--no-qemu-swtpm", action=Switch, default=True, help="a TPM where swtpm is installed"
    )


def _platform(text: str) -> str:
    return PLATFORM_ALIASES.get(text, text)
