"""Resolution of options to a RunPlan, with subject, selection and output directory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from harness.artifact import Artifact
from harness.errors import ConfigError, InfrastructureError
from harness.machine.sessions import Access
from harness.machine.ssh import SshKey
from harness.platform.choose import LIBVIRT, NAMES, choose_fleet, require_hosts
from harness.platform.fleet import Member
from harness.platform.hosts import HostEntry, from_uris, read_hosts, with_tags
from harness.util.paths import require_cache, require_state
from kola.cases.catalog import Catalog, find_tests, own_root
from kola.cases.external import Discovery, discover
from kola.cases.model import TestInfo
from kola.run.durations import load as load_durations
from kola.run.machine import appended_configs, machine_defaults
from kola.run.options import MachineOptions, RunOptions, SubjectOptions
from kola.run.output import OutputDir, default_base, prepare
from kola.run.plan import LiveMedia, RunPlan
from kola.run.selection import DEFAULT_PLATFORM, roots_from, selection_from
from kola.run.subject import Subject, Tell, architecture, find_subject
from kola.select import Chosen, select
from kola.select.filters import originals, require_matches


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The plan, and data for the reporting process only. A dry one has no output directory."""

    options: RunOptions
    plan: RunPlan
    chosen: Chosen
    output: OutputDir
    infos: dict[str, TestInfo]
    dry: bool = False


def resolve(options: RunOptions, *, tell: Tell, dry: bool = False) -> Resolved:
    """Resolve the options. Raises ConfigError for any user error before output is made or erased.

    With `dry` no output directory is made, since nothing runs.
    """
    _refuse(options)
    roots = roots_from(options.selection, options.subject)
    catalog = find_tests(own_root())
    infos = registered(catalog, discover(roots))
    require_matches(infos.values(), originals(options.selection.patterns, infos.values()))
    plan = machine_plan(
        options.subject,
        options.machine,
        platform=options.selection.platform or DEFAULT_PLATFORM,
        upgrading=options.upgrading,
        tell=tell,
        dry=dry,
    )
    chosen = select(
        infos.values(),
        selection_from(
            options.selection,
            options.subject,
            command=options.command,
            distro=plan.distro.family,
            absent=plan.distro.absent,
            stream=plan.stream,
            firmware=str(plan.defaults.firmware_of(plan.arch)),
            durations=load_durations().names,
        ),
    )
    directory = options.subject.directory
    if dry:
        output = OutputDir(options.output_dir or default_base(directory))
    else:
        output = prepare(platform=plan.platform, explicit=options.output_dir, workdir=directory)
    plan = replace(
        plan,
        output=output.path,
        tests=tuple(test.name for test in chosen.tests),
        warn_on_failure=chosen.warn_on_failure,
        console_warnings_only=chosen.console_warnings_only,
        external_roots=tuple((str(root.directory), root.prefix) for root in roots),
        broken=tuple((test.name, str(test.path), str(test.error)) for test in catalog.broken),
        boot=options.boot,
        isolation=options.isolation,
        extend=options.extend_timeout_percentage,
        multiply=options.selection.multiply,
        rerun=options.rerun,
        keep_failed=options.keep_on_failure or options.ssh_on_test_failure,
        strict_profile=options.strict_profile,
        rerun_success=options.allow_rerun_success.tags if options.allow_rerun_success else None,
    )
    return Resolved(options=options, plan=plan, chosen=chosen, output=output, infos=infos, dry=dry)


def machine_plan(
    subject: SubjectOptions,
    machine: MachineOptions,
    *,
    tell: Tell,
    platform: str = DEFAULT_PLATFORM,
    upgrading: bool = False,
    dry: bool = False,
) -> RunPlan:
    """Return a plan without tests, enough to lease machines. Raises ConfigError, InfrastructureError.

    The caller sets its output directory. With `dry` nothing is built, and no machine can be leased.
    """
    require_cache()
    hosts = hosts_of(machine, platform)
    fleet = choose_fleet(platform, architecture(subject), hosts, network=machine.libvirt_network or "")
    members, lacking = require_hosts(fleet, tell)
    defaults = machine_defaults(machine, tell, lacking)
    ignition = appended_configs(machine, tell)
    found: Subject = find_subject(subject, upgrading=upgrading, dry=dry, tell=tell)
    plan = RunPlan(
        output=Path(),
        image=found.image,
        image_format=found.image_format,
        image_identity=found.image_identity,
        build_id=found.build_id,
        build_directory=found.directory,
        stream=found.stream,
        parent=found.parent,
        platform=members[0].platform.name,
        hosts=tuple(member.entry for member in members) if hosts else (),
        libvirt_network=machine.libvirt_network or "",
        arch=found.arch,
        distro_name=found.distro.name,
        access=Access(found.distro.user, SshKey.generate("kola"), SshKey.generate("kola-host")),
        defaults=defaults,
        ignition=ignition,
        debug_units=machine.debug_systemd_unit,
        live=LiveMedia(
            iso=_live_iso(subject, tell), insecure=machine.inst_insecure, kernel_args=machine.pxe_kargs
        ),
    )
    return (
        replace(plan, hosts=_willing(plan, members, tell, dry=dry)) if hosts else _checked(plan, members[0])
    )


def hosts_of(machine: MachineOptions, platform: str) -> tuple[HostEntry, ...]:
    """Return the hosts that the options name; none for the default. Raises ConfigError."""
    typed = {
        "--libvirt-uri": machine.libvirt_uri,
        "--hosts": machine.hosts,
        "--libvirt-network": machine.libvirt_network,
    }
    flags = [flag for flag, value in typed.items() if value]
    if flags and platform != LIBVIRT:
        raise ConfigError(f"{flags[0]} is for -p libvirt", hint="add -p libvirt")
    if machine.hosts is None:
        if machine.host_tag:
            raise ConfigError("--host-tag chooses hosts of a file", hint="add --hosts FILE")
        return from_uris(machine.libvirt_uri)
    if machine.libvirt_uri:
        raise ConfigError("a run has --hosts or --libvirt-uri", hint="put all hosts into the file")
    return with_tags(read_hosts(machine.hosts), machine.host_tag)


def _checked(plan: RunPlan, member: Member) -> RunPlan:
    reason = member.platform.refuses(plan.base_spec())
    if reason:
        raise ConfigError(f"-p {plan.platform} has no such machines: {reason}", hint="use -p qemu")
    return plan


def _willing(plan: RunPlan, members: Sequence[Member], tell: Tell, *, dry: bool) -> tuple[HostEntry, ...]:
    """Return the hosts that have the run's default machine. Raises ConfigError when none has."""
    if len(members) == 1:
        _checked(plan, members[0])
        return (members[0].entry,)

    def ask(member: Member) -> str:
        try:
            if not dry:
                _ = member.platform.scale  # which runs a tiny guest there
            return member.platform.refuses(plan.base_spec())
        except InfrastructureError as error:
            return str(error)

    with ThreadPoolExecutor(len(members)) as pool:
        reasons = dict(zip((member.name for member in members), pool.map(ask, members), strict=True))
    willing = tuple(member.entry for member in members if not reasons[member.name])
    told = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
    if not willing:
        raise ConfigError(f"no host has such machines: {'; '.join(told)}", hint="use -p qemu")
    for words in told:
        tell(f"host {words}; the run goes on without it")
    return willing


def _live_iso(subject: SubjectOptions, tell: Tell) -> Path | None:
    """Return the file of --qemu-iso, unpacked if compressed."""
    if subject.qemu_iso is None:
        return None
    return Artifact.from_file(subject.qemu_iso, kind="live-iso").ready(notice=tell)


def registered(catalog: Catalog, discovery: Discovery) -> dict[str, TestInfo]:
    """Return all tests by name: NestOS's own and the external ones, including broken ones."""
    infos = {test.name: test for test in catalog.tests}
    infos |= {broken.name: broken.info for broken in catalog.broken}
    infos |= {test.info.name: test.info for test in discovery.tests}
    infos |= {broken.name: broken.info for broken in discovery.broken}
    return infos


def _refuse(options: RunOptions) -> None:
    """Raise ConfigError for options without an implementation, or that exclude each other."""
    platform = options.selection.platform
    if platform not in (None, *NAMES):
        raise ConfigError(
            f"platform {platform!r} cannot be run here",
            hint=f"use -p {' or '.join(NAMES)}, or leave -p out",
        )
    if options.ssh_on_test_failure and not sys.stdin.isatty():
        raise ConfigError(
            "--ssh-on-test-failure needs a terminal, and standard input is none",
            hint="--keep-on-failure keeps the machine for kola ssh, terminal or not",
        )
    if options.keep_on_failure or options.ssh_on_test_failure:
        require_state()
    if options.allow_rerun_success and not options.rerun:
        raise ConfigError("--allow-rerun-success is about --rerun", hint="add --rerun")
