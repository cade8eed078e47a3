"""Login sessions that end before their command: sshd takes the key, and then nothing runs."""

from __future__ import annotations

import re

from harness.errors import MachineFailure
from harness.machine.journal import Journal
from harness.machine.ssh import Completed

CAUSE = "login-session"
NOT_OPENED = 254
"""The status of a session that PAM does not open (OpenSSH's session.c, do_child)."""

_SSHD = ("sshd", "sshd-session")
_REASON = re.compile(r"PAM: |pam_\w+\(|cannot open session|fatal: ", re.IGNORECASE)
_SHOWN = 10


def not_opened(done: Completed) -> bool:
    """Return True when sshd ended the session itself, before the command."""
    return done.status == NOT_OPENED and not done.stdout


def failure(user: str, done: Completed, journal: Journal) -> MachineFailure:
    """Return the failure of a session of `user`, with what the session or the journal says of it."""
    entries = [one for one in journal.entries() if one.identifier in _SSHD]
    told = [one.message for one in entries if _REASON.search(one.message)]
    reason = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
    why = reason or next(reversed(told), "") or "the journal of sshd has no reason"
    return MachineFailure(
        CAUSE,
        f"the guest takes the key of {user}, but every session ends at once with status {done.status}: {why}",
        evidence="\n".join(entry.line() for entry in entries[-_SHOWN:]),
    )
