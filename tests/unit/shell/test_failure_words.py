"""Failure messages of external tests."""

from __future__ import annotations

import pytest

from kola.shell.failures import failure
from kola.shell.news import Ended, ErrExit


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", "exited with status 1"),
        ("checking\nexpected autosaved XFS\n\n", "exited with status 1: expected autosaved XFS"),
        ("+ fatal 'not there'\n+ echo 'not there'\nnot there\n+ exit 1\n", "exited with status 1: not there"),
        ("ok\n+ [[ btrfs == xfs ]]\n", "exited with status 1 after `[[ btrfs == xfs ]]`"),
        ("++ cat /etc/os-release\n++ return 1\n", "exited with status 1 after `cat /etc/os-release`"),
        ("++ find -context x\nfind: no SELinux\n+ found=\n", "exited with status 1: find: no SELinux"),
        ("\x1b[31mred\x1b[0m\n", "exited with status 1: red"),
    ],
)
def test_the_last_words_are_the_tests_own(output: str, words: str) -> None:
    assert str(failure(Ended("exit-code", 1, 1, output, ""))) == words


def test_the_command_at_which_the_shell_gave_up_is_the_reason() -> None:
    at = ErrExit(1, "/usr/local/bin/kola-runext-root-is-xfs", 12, "grep -q xfs /proc/mounts")
    ended = Ended("exit-code", 1, 1, "checking the root file system\n", "", at)
    assert str(failure(ended)) == "exited with status 1 at root-is-xfs:12: `grep -q xfs /proc/mounts`"


def test_a_command_that_did_not_end_the_test_is_not_the_reason() -> None:
    at = ErrExit(1, "/usr/local/bin/kola-runext-thing", 12, "false")
    assert str(failure(Ended("exit-code", 1, 7, "gone\n", "", at))) == "exited with status 7: gone"


def test_a_long_line_is_shortened() -> None:
    assert len(str(failure(Ended("exit-code", 1, 1, "x" * 5000, "")))) < 250


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (Ended("signal", 2, 9, "busy\n", ""), "killed by SIGKILL"),
        (Ended("exit-code", 1, 203, "", ""), "could not be executed"),
        (Ended("timeout", 0, 0, "", ""), "did not run to its end: systemd says timeout"),
    ],
)
def test_other_ends_have_words_of_their_own(ended: Ended, words: str) -> None:
    assert words in str(failure(ended))
