"""kolet's reports to the host: a first line with the event, then the test's output."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.machine.ssh import Completed

LOAD = re.compile(r"^load ([\d./ ]+)\n", re.MULTILINE)
"""kolet's report of proc(5)'s loadavg while the test runs."""

_GOES_ON = re.compile(r"(\\|\||&&)\s*$")

_EXITED, _KILLED, _DUMPED = 1, 2, 3  # si_code of waitid(2)


@dataclass(frozen=True)
class ErrExit:
    """The command at which bash's `set -e` ended the test: its exit `status`, and `file`, `line`, `text`."""

    status: int
    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Ended:
    """The end of the test's main process: `result`, `code` and `status` as in systemd.

    `unit_status` is the output of `systemctl status` for a test that did not succeed.
    """

    result: str
    code: int
    status: int
    output: str
    unit_status: str
    errexit: ErrExit | None = None

    @property
    def exit_status(self) -> int | None:
        """The exit status, or None when a signal ended the process."""
        return self.status if self.code == _EXITED else None

    @property
    def signal(self) -> int | None:
        return self.status if self.code in (_KILLED, _DUMPED) else None

    @property
    def passed(self) -> bool:
        return self.result == "success" and self.exit_status == 0

    @property
    def last_line(self) -> str:
        return next((line for line in reversed(self.output.splitlines()) if line.strip()), "")


@dataclass(frozen=True)
class RebootAsked:
    """A request for permission to reboot. `kind` is `hard` or `soft`; `userspace` identifies its start."""

    kind: str
    mark: str
    userspace: str
    output: str


def parse(done: Completed) -> Ended | RebootAsked | None:
    """Parse kolet's report. Returns None for other output: kolet was not started, or ended early."""
    head, _, output = done.stdout.partition("\n")
    try:
        match head.split():
            case ["end", *properties]:
                return _ended(properties, output, LOAD.sub("", done.stderr))
            case ["reboot", kind, mark, userspace]:
                text = base64.b64decode(mark, validate=True).decode(errors="surrogateescape")
                return RebootAsked(kind, text, userspace, output)
    except (ValueError, KeyError, binascii.Error):
        return None
    return None


def not_started(done: Completed) -> InfrastructureError:
    return InfrastructureError(
        f"the test could not be started in the guest (status {done.status})",
        cause="test-not-started",
        evidence=(done.stderr.strip() or done.stdout.strip())[-2000:],
    )


def _ended(properties: list[str], output: str, unit_status: str) -> Ended:
    shown = dict(word.split("=", 1) for word in properties)
    return Ended(
        result=shown["Result"],
        code=int(shown["ExecMainCode"]),
        status=int(shown["ExecMainStatus"]),
        output=output,
        unit_status=unit_status,
        errexit=_errexit(shown["Errexit"]) if "Errexit" in shown else None,
    )


def _errexit(encoded: str) -> ErrExit:
    place, *lines = base64.b64decode(encoded, validate=True).decode(errors="replace").splitlines()
    status, line, file = place.split(" ", 2)
    command = lines[-1:]
    while len(command) < len(lines) and _GOES_ON.search(lines[-len(command) - 1]):
        command.insert(0, lines[-len(command) - 1])
    return ErrExit(int(status), file, int(line), " ".join(part.strip() for part in command))
