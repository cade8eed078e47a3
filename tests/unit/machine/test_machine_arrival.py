"""What a resumed guest is given by its first command, in a shell of this host."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.machine.arrival import READ_BOOT_ID, Arrival
from harness.machine.ssh import Completed


def test_the_command_behind_it_gets_its_own_input_and_status(tmp_path: Path) -> None:
    """The seed goes where it belongs, to the last byte; what follows it is the command's."""
    arrival = Arrival("the-boot", bytes(range(64)), now=1000.5)
    line = arrival.before("cat; exit 3")
    assert line.startswith(f"{READ_BOOT_ID}; date -s @1000.500 ")
    seed = tmp_path / "seed"
    harmless = (
        line.replace(READ_BOOT_ID, "echo the-boot")
        .replace("date -s", "true")
        .replace("/dev/urandom", str(seed))
    )
    done = subprocess.run(
        ["sh", "-c", harmless], input=arrival.seed + b"own input", capture_output=True, check=False
    )
    assert seed.read_bytes() == arrival.seed
    assert done.returncode == 3
    completed = Completed(line, 3, done.stdout.decode(), "", 0.0)
    assert arrival.output(completed) == "own input"


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [("another\n", 0, "has boot id another"), ("", 1, r"says nothing .status 1.")],
)
def test_another_boot_or_a_guest_without_sudo_is_no_clone(said: str, status: int, reason: str) -> None:
    arrival = Arrival.new("the-boot")
    with pytest.raises(InfrastructureError, match=reason) as caught:
        arrival.output(Completed("x", status, said, "sudo: no", 0.0))
    assert caught.value.cause == "clone-mismatch"


def test_every_clone_has_entropy_of_its_own() -> None:
    assert Arrival.new("boot").seed != Arrival.new("boot").seed
