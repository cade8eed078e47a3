"""`nosa kola`: kola with nosa's habits for the output directory, upgrades and basic scenarios."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from harness.errors import ConfigError
from harness.util.language import localized
from kola.nosa.call import call, separate

USAGE = """\
usage: nosa kola [OPTION…] [run|testiso|COMMAND] [TEST…]

  --build ID               the build; the latest by default
  --output-dir DIR         results; $ARTIFACT_DIR or tmp, plus /kola or /kola-upgrade
  --upgrades               the tests of upgrades
  --basic-qemu-scenarios   the tests `basic*` with NVMe, UEFI, and UEFI with Secure Boot
  --skip-secure-boot       the same without Secure Boot

Everything else goes to kola: nosa kola run --help-all lists it."""

TESTS = ("run", "run-upgrade", "rerun", "testiso")
"""The commands of kola that write results. Other commands get no output directory."""

OTHERS = (
    "list", "spawn", "ps", "ssh", "scp", "console", "screenshot", "stop", "qemuexec", "http-server",
    "bootchart", "check-console", "butane", "nosa", "reference", "facts", "platforms", "ncpu",
    "completion", "man", "version", "help",
)  # fmt: skip

SCENARIOS = (
    ("nvme", ("--qemu-nvme",)),
    ("uefi", ("--qemu-firmware=uefi",)),
)
SECURE_BOOT = ("uefi-secure", ("--qemu-firmware=uefi-secure", "--qemu-memory=1536"))


def main(words: Sequence[str]) -> int:
    """Run kola once, or once per scenario; return the first exit status that is not 0.

    A signal ends the scenarios that are left."""
    if list(words[:1]) in (["-h"], ["--help"]):
        print(localized(USAGE))
        return 0
    first = 0
    for line in command_lines(words, os.environ):
        status = call(line)
        first = first or status
        if status > 128:  # a signal: the user wants no further scenario
            break
    return first


def command_lines(words: Sequence[str], environment: Mapping[str, str]) -> list[list[str]]:
    """Return the command lines of kola for what was typed. Raises ConfigError."""
    typed = separate(
        words,
        values=("--build", "--output-dir"),
        switches=("--upgrades", "--basic-qemu-scenarios", "--skip-secure-boot"),
    )
    command, rest = "run", list(typed.rest)
    if rest and rest[0] in (*TESTS, *OTHERS):
        command, *rest = rest
    upgrades = "--upgrades" in typed.own
    basic = "--basic-qemu-scenarios" in typed.own
    if upgrades and (basic or command not in ("run", "run-upgrade")):
        raise ConfigError(
            "--upgrades is a selection of its own", hint="leave out the command or the scenarios"
        )
    if "--skip-secure-boot" in typed.own and not basic:
        raise ConfigError(
            "--skip-secure-boot is for --basic-qemu-scenarios", hint="leave it out, or add that"
        )
    if basic and command != "run":
        raise ConfigError(f"--basic-qemu-scenarios cannot be combined with {command}")
    if upgrades:
        command = "run-upgrade"
    build = [f"--build={typed.own['--build']}"] if "--build" in typed.own else []
    if command not in TESTS:
        given = [f"--output-dir={typed.own['--output-dir']}"] if "--output-dir" in typed.own else []
        return [[command, *build, *given, *rest]]
    output = typed.own.get("--output-dir") or _default_output(environment, upgrades=command == "run-upgrade")
    if not basic:
        return [[command, *build, f"--output-dir={output}", *rest]]
    scenarios = SCENARIOS if "--skip-secure-boot" in typed.own else (*SCENARIOS, SECURE_BOOT)
    return [
        ["run", *build, f"--output-dir={output}-{name}", *flags, *rest, "basic*"] for name, flags in scenarios
    ]


def _default_output(environment: Mapping[str, str], *, upgrades: bool) -> str:
    return f"{environment.get('ARTIFACT_DIR') or 'tmp'}/{'kola-upgrade' if upgrades else 'kola'}"
