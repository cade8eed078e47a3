"""From typed flags to a RunPlan: finds the build, prepares the output, chooses the tests."""

from __future__ import annotations

import argparse
import platform as host
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.artifact import Artifact, BuildRoot, Distro, distro_named, distro_of_build
from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.machine.machine import Access
from harness.machine.spec import Disk, Firmware
from harness.machine.ssh import SshKey
from harness.platform.qemu import tpm
from harness.platform.qemu.accel import find_qemu
from harness.util.sizes import parse_size
from kola.cli.output import OutputDir, default_base, prepare
from kola.external import Discovery, discover
from kola.model import TestInfo
from kola.run.plan import Defaults, RunPlan
from kola.run.typed import typed_options
from kola.schedule.durations import load as load_durations
from kola.select import Chosen, select
from kola.select.catalog import find_tests, own_root
from kola.select.options import roots_from, selection_from, workdir

UPGRADE = "upgrade"
"""The bank of tests whose machines start from an older build, and their required tag."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Resolved:
    """The plan, and what only the process that reports needs. A dry one has no output directory.

    `options` is what was typed, and `command` the one of `kola` that takes it.
    """

    plan: RunPlan
    chosen: Chosen
    output: OutputDir
    infos: dict[str, TestInfo]
    dry: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    command: str = "run"


@dataclass(frozen=True)
class _Subject:
    """What is to be tested."""

    image: Path
    format: str
    identity: str
    build_id: str
    build_name: str | None
    stream: str | None
    directory: Path | None
    parent: str = ""


def resolve(args: argparse.Namespace, *, tell: Tell, dry: bool = False) -> Resolved:
    """Raise ConfigError for anything the user got wrong, before any output is made or erased.

    With `dry` none is: nothing is going to run.
    """
    if (args.platform or "qemu") != "qemu":
        raise ConfigError(f"platform {args.platform!r} cannot be run here", hint="use -p qemu")
    arch = args.arch or host.machine()
    defaults = _defaults(args, tell)
    find_qemu(arch)
    ignition = tuple(_ignition_texts(args))
    subject = _subject(args, arch, tell)
    distro = _distro(args.distro, subject)
    roots = roots_from(args)
    discovery = discover(roots)
    infos = registered(discovery)
    selection = selection_from(
        args,
        architecture=arch,
        stream=subject.stream,
        firmware=str(defaults.firmware_of(arch)),
        durations=load_durations().names,
    )
    chosen = select(infos.values(), replace(selection, distro=distro.family, absent=distro.absent))
    if dry:
        output = OutputDir(args.output_dir or default_base(workdir(args)))
    else:
        output = prepare(platform="qemu", explicit=args.output_dir, workdir=workdir(args))
    plan = RunPlan(
        output=output.path,
        image=subject.image,
        image_format=subject.format,
        image_identity=subject.identity,
        build_id=subject.build_id,
        build_directory=subject.directory,
        parent=subject.parent,
        platform="qemu",
        arch=arch,
        distro_name=distro.name,
        access=Access(distro.user, SshKey.generate("kola"), SshKey.generate("kola-host")),
        defaults=defaults,
        tests=tuple(test.name for test in chosen.tests),
        selected=True,
        warn_on_failure=chosen.warn_on_failure,
        console_warnings_only=chosen.console_warnings_only,
        external_roots=tuple((str(root.directory), root.prefix) for root in roots),
        ignition=ignition,
        debug_units=tuple(args.debug_systemd_unit),
        boot=args.boot,
        isolation=args.isolation,
        extend=args.extend_timeout_percentage,
        multiply=args.multiply,
        rerun=args.rerun,
        keep=args.ssh_on_test_failure,
    )
    command = "run-upgrade" if args.bank == UPGRADE else "run"
    return Resolved(plan, chosen, output, infos, dry, typed_options(args), command)


def _distro(typed: str | None, subject: _Subject) -> Distro:
    """As typed, where the build does not know it more precisely; else the build's; else NestOS."""
    built = distro_of_build(subject.build_name, subject.stream) if subject.build_name else None
    if built is not None and typed in (None, built.family):
        return built
    return distro_named(typed or "nestos")


def registered(discovery: Discovery) -> dict[str, TestInfo]:
    """Every test there is, by name: NestOS's own and the external ones, broken ones included."""
    catalog = find_tests(own_root())
    if catalog.errors:
        raise catalog.errors[0]
    infos = {test.name: test for test in catalog.tests}
    infos |= {test.info.name: test.info for test in discovery.tests}
    infos |= {broken.name: broken.info for broken in discovery.broken}
    return infos


def _subject(args: argparse.Namespace, arch: str, tell: Tell) -> _Subject:
    upgrading = args.bank == UPGRADE
    if args.qemu_image is not None and not upgrading:
        return _of_artifact(Artifact.from_file(args.qemu_image), tell)
    directory = workdir(args)
    if directory is not None:
        tested = BuildRoot(directory)
    else:
        from harness.reference import ensure

        tested = BuildRoot(ensure(progress=tell, arch=arch))
        tell(f"no build directory here: testing the reference OS in {tested.path}")
    build = tested.find(args.build, arch)
    parent = ""
    if not upgrading:
        artifact = build.artifact("qemu")
    elif args.qemu_image is not None:
        artifact, parent = Artifact.from_file(args.qemu_image), args.qemu_image.name
    else:
        older = tested.find(args.parent, arch) if args.parent else tested.parent_of(build)
        artifact, parent = older.artifact("qemu"), older.id
    if parent:
        tell(f"upgrading from {parent} to {build.id}")
    subject = _of_artifact(artifact, tell)
    return _Subject(
        image=subject.image,
        format=subject.format,
        identity=subject.identity,
        build_id=build.id,
        build_name=build.name,
        stream=build.stream,
        directory=build.directory,
        parent=parent,
    )


def _of_artifact(artifact: Artifact, tell: Tell) -> _Subject:
    path = artifact.ready(notice=tell)
    return _Subject(
        image=path,
        format=str(artifact.format),
        identity=artifact.identity(),
        build_id=path.name,
        build_name=None,
        stream=None,
        directory=None,
    )


def _defaults(args: argparse.Namespace, tell: Tell) -> Defaults:
    options = [
        word
        for word, wanted in (
            ("channel=nvme", args.qemu_nvme),
            ("4k", args.qemu_native_4k),
            ("512e", args.qemu_512e),
            ("mpath", args.qemu_multipath),
        )
        if wanted
    ]
    if args.qemu_size is not None:
        parse_size(args.qemu_size.removeprefix("+"))
    Disk.parse(":" + ",".join(options))  # what cannot go together is said before anything starts
    firmware = Firmware.parse(args.qemu_firmware) if args.qemu_firmware else None
    if firmware is None and args.qemu_native_4k:
        firmware = Firmware.UEFI
    if args.qemu_swtpm and not tpm.available():
        tell("this host has no swtpm: machines have no TPM (--no-qemu-swtpm says that this is meant)")
    return Defaults(
        memory_mib=args.qemu_memory,
        cpus=args.qemu_cpus,
        firmware=firmware,
        primary_disk=",".join(options),
        primary_size=args.qemu_size,
        swtpm=args.qemu_swtpm and tpm.available(),
        host_directories=tuple(args.qemu_bind_ro),
        extra_qemu_args=tuple(args.qemu_arg),
    )


def _ignition_texts(args: argparse.Namespace) -> list[str]:
    texts = []
    for path in args.append_ignition:
        config = IgnitionConfig.load(path)
        texts.append(config.to_json())
    for path in args.append_butane:
        texts.append(butane_config(path).to_json())
    return texts


def butane_config(path: Path) -> IgnitionConfig:
    """A Butane file as the Ignition config it stands for, local files taken from its directory."""
    from harness.ignition.butane import translate

    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=path) from error
    return translate(text, files_dir=path.parent, source=path).config
