"""Command lines made from what each command's help offers: exit status 2 and a sentence for all of them."""

from __future__ import annotations

import contextlib
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from hostile.grammar import text
from hostile.judge import LONGEST, Hang, at_most
from kola.cli.main import main

LINES = 40
"""Command lines in each batch of each command."""

_ODD_ARGUMENTS = (
    "",
    "-1",
    "--",
    "-",
    "9" * 5000,
    "x" * 5000,
    "1e9",
    "0",
    "a,b",
    "=",
    "\udcb2",
    "\n",
    "/dev/zero",
    "/",
)
"""Values for options: none of them names a test, a build, or a config."""


def options_of(command: str, capfd: pytest.CaptureFixture[str]) -> list[tuple[str, bool]]:
    """The options that the command's help shows, and whether each takes a value."""
    with contextlib.suppress(SystemExit):
        main([command, "--help-all"])
    shown = re.sub(r"usage:.*?\n\n", "", capfd.readouterr().out, count=1, flags=re.DOTALL)
    shown = shown.partition("\nexamples:")[0]
    found = re.findall(r"(?<![\w-])(--[a-z0-9-]+)( [^ \n]+|=\S+)?", shown)
    return [(name, bool(value)) for name, value in dict(found).items() if not name.startswith("--help")]


def argument(random: Random, pipe: Path) -> str:
    """A value as a shell could pass it on: no NUL, and any bytes that are not UTF-8 as Python shows them."""
    given = random.choice((*_ODD_ARGUMENTS, str(pipe), text(random))).replace("\0", "")
    return given.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


def command_line(random: Random, command: str, options: list[tuple[str, bool]], pipe: Path) -> list[str]:
    """A command line that cannot be meant: it asks for what does not exist."""
    words = []
    for name, takes_value in random.sample(options, random.randint(0, min(5, len(options)))):
        if random.random() < 0.1:
            name = name[:-1] + random.choice("xyz")
        if not takes_value:
            words.append(name)
            continue
        given = argument(random, pipe)
        words += [f"{name}={given}"] if random.random() < 0.5 else [name, given]
    tail = {"butane": ["/no/such.bu"], "check-console": ["/no/such/file"]}
    image = ["--qemu-image", "/no/such/image"] if command.startswith("run") else []
    return [command, *words, *tail.get(command, ["no-such-test", "--workdir", str(pipe.parent), *image])]


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory to be in, with a named pipe in it, from which no run can start a machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    os.mkfifo(tmp_path / "pipe")
    yield tmp_path / "pipe"


@pytest.mark.parametrize("command", ["run", "run-upgrade", "list", "butane", "check-console"])
def test_hostile_command_lines_end_in_status_2_and_a_sentence(
    command: str, seed: int, quiet: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random = Random(f"{command} {seed}")
    options = options_of(command, capfd)
    assert options or command == "check-console"
    faults = []
    for _ in range(LINES):
        line = command_line(random, command, options, quiet)
        fault = fault_of_command(line, capfd)
        if fault:
            faults.append(f"kola {line!r:.300}\n{fault}")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:4])


def fault_of_command(line: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """Run a command in this process. The fault of how it ended; an empty text for status 2 and a message."""
    try:
        with at_most():
            status: object = main(line)
    except SystemExit as ended:
        status = ended.code
    except Hang as hang:
        return str(hang)
    except Exception:
        return traceback.format_exc(limit=-4)
    said = capfd.readouterr().err
    if status != 2:
        return f"exit status {status!r}, {said[:300]}"
    if not said.strip() or "Traceback" in said:
        return f"it said {said[:300]!r}"
    return f"a message of {len(said)} characters: {said[:300]}" if len(said) > LONGEST else ""
