"""The ways in which an external test itself fails; the class names become causes in the reports."""

from __future__ import annotations

import re
import signal

from harness.errors import HarnessError
from kola.external.news import Ended
from kola.report.telling import plain, shorten

_TRACE = re.compile(r"\++ ")
# Neither says what went wrong: the command that an assignment waited for is traced before it.
_LEAVING = re.compile(r"\++ (exit|return|set|trap)\b|\++ \w+=\S*$")
_CANNOT_EXECUTE = 203  # systemd.exec(5), "Process Exit Codes"
SKIP_STATUS = 77


class NonzeroExit(HarnessError):
    """The test ended with a status that is not 0."""


class KilledBySignal(HarnessError):
    """A signal ended the test."""


class NotExecutable(HarnessError):
    """systemd could not even execute it."""


class UnexpectedReboot(HarnessError):
    """The machine rebooted, or the test ended, otherwise than by the reboot protocol."""


def failure(ended: Ended) -> HarnessError:
    """What is wrong with a test that did not pass."""
    if ended.signal is not None:
        return KilledBySignal(f"killed by {_signal_name(ended.signal)}")
    if ended.status == _CANNOT_EXECUTE and ended.result == "exit-code" and not ended.output.strip():
        return NotExecutable("could not be executed: is its interpreter in the guest?")
    if ended.exit_status is None:
        return NonzeroExit(f"did not run to its end: systemd says {ended.result}")
    return NonzeroExit(f"exited with status {ended.status}{_last_words(ended.output)}")


def _last_words(output: str) -> str:
    """What the test said last; where `set -x` is all that speaks, the command after which it ended."""
    lines = (line.strip() for line in reversed(plain(output).splitlines()))
    said = next((line for line in lines if line and not _LEAVING.match(line)), "")
    trace = _TRACE.match(said)
    if trace:
        return f" after `{shorten(said[trace.end() :])}`"
    return f": {shorten(said)}" if said else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
