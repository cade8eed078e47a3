"""The record of a kept machine, which every process of this user can read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"


class SshEntry(BaseModel):
    """The SSH access to a machine: `address` and `port` as this host, or the jump host, sees them."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    address: str
    port: int
    user: str
    key_file: Path
    known_hosts: Path | None
    jump_host: str | None = None
    jump_options: tuple[str, ...] = ()


class Kept(BaseModel):
    """A kept machine. Times are seconds since the epoch.

    `pid` is the keeper's. `home` is the machine's directory, removed at its end; `logs` has its console and
    journal; `console` is a Unix socket of its serial console. `test` is the failed test for which it was
    kept; `host` is where it runs, if hosts have names. Without `ssh` only its console is accessible.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    pid: int
    state: State = State.STARTING
    started: float
    ends: float
    home: Path
    logs: Path | None = None
    build: str = ""
    arch: str = ""
    how: str = ""
    host: str = ""
    memory_mib: int = 0
    test: str = ""
    ssh: SshEntry | None = None

    @property
    def console(self) -> Path:
        return self.home / "console"

    @property
    def control(self) -> Path:
        return self.home / "control"
