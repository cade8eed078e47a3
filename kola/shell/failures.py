"""Failures of an external test itself. The class names become causes in the reports."""

from __future__ import annotations

import re
import signal
from pathlib import PurePosixPath

from harness.errors import HarnessError
from kola.report.telling import plain, shorten
from kola.shell.job import EXECUTABLE_PREFIX
from kola.shell.news import Ended

_TRACE = re.compile(r"\++ ")
# Neither explains a failure: an assignment's trace follows that of the command it waited for.
_LEAVING = re.compile(r"\++ (exit|return|set|trap)\b|\++ \w+=\S*$")
_CANNOT_EXECUTE = 203  # systemd.exec(5), "Process Exit Codes"
SKIP_STATUS = 77


class NonzeroExit(HarnessError):
    """Raised when the test ended with a status other than 0."""


class KilledBySignal(HarnessError):
    """Raised when a signal ended the test."""


class NotExecutable(HarnessError):
    """Raised when systemd could not execute the test."""


class UnexpectedReboot(HarnessError):
    """Raised when the machine rebooted, or the test ended, outside the reboot protocol."""


class PoweredOff(HarnessError):
    """Raised when the test switched its machine off, which then cannot be queried."""


def failure(ended: Ended) -> HarnessError:
    """Return the error of a test that did not pass."""
    if ended.signal is not None:
        return KilledBySignal(f"killed by {_signal_name(ended.signal)}")
    if ended.status == _CANNOT_EXECUTE and ended.result == "exit-code" and not ended.output.strip():
        return NotExecutable("could not be executed: is its interpreter in the guest?")
    if ended.exit_status is None:
        return NonzeroExit(f"did not run to its end: systemd says {ended.result}")
    return NonzeroExit(f"exited with status {ended.status}{_where(ended) or _last_words(ended.output)}")


def _where(ended: Ended) -> str:
    """Return the place of the command at which `set -e` ended the test, if that is how it ended."""
    at = ended.errexit
    if at is None or at.status != ended.status:
        return ""
    name = PurePosixPath(at.file).name.removeprefix(EXECUTABLE_PREFIX)
    return f" at {name}:{at.line}: `{shorten(at.text)}`" if at.text else f" at {name}:{at.line}"


def _last_words(output: str) -> str:
    """Return the last line of output, or with only `set -x` output, the command after which the test
    ended.
    """
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
