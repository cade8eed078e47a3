"""What kolet tells the host: a first line that says what happened, then the test's output."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.machine.ssh import Completed

_EXITED, _KILLED, _DUMPED = 1, 2, 3  # si_code of waitid(2)


@dataclass(frozen=True)
class Ended:
    """The test's main process has ended: `result`, `code` and `status` as systemd has them.

    `unit_status` is what `systemctl status` shows of a test that did not succeed.
    """

    result: str
    code: int
    status: int
    output: str
    unit_status: str

    @property
    def exit_status(self) -> int | None:
        """None when a signal ended it."""
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
    """The test waits for leave to reboot; `kind` is `hard` or `soft`, `userspace` tells its start apart."""

    kind: str
    mark: str
    userspace: str
    output: str


def parse(done: Completed) -> Ended | RebootAsked | None:
    """None when that is not what kolet says: it was not started, or did not live to the end."""
    head, _, output = done.stdout.partition("\n")
    try:
        match head.split():
            case ["end", *properties]:
                return _ended(properties, output, done.stderr)
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
    )
