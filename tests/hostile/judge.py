"""The judge of one hostile input: it may be taken, or be refused in a sentence; nothing else."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import ConfigError

SECONDS = 20
LONGEST = 5000
"""Characters of a message. Butane names every error of a config in one message, so it is no small number."""


class Hang(BaseException):
    """The input kept us busy for 20 seconds. Not an Exception, so that nobody swallows it."""


@contextmanager
def at_most(seconds: float = SECONDS) -> Iterator[None]:
    """Raise Hang when the block takes longer."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise Hang(f"still busy after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fault_of(read: Callable[[], object]) -> str:
    """Read one input. The fault of how it was met, or an empty text where it was taken or refused well."""
    try:
        with at_most():
            read()
    except ConfigError as error:
        return _fault_of_message(str(error))
    except Hang as error:
        return str(error)
    except Exception:  # any other exception is the fault we look for
        return traceback.format_exc(limit=-4)
    return ""


def _fault_of_message(message: str) -> str:
    if len(message) > LONGEST:
        return f"a message of {len(message)} characters: {message[:300]}"
    if not message.strip():
        return "an empty message"
    try:
        message.encode()
    except UnicodeEncodeError:
        return f"a message that UTF-8 cannot say: {message!r}"
    return ""
