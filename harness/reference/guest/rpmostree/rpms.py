"""librpm: reads packages, finds missing dependencies, and installs packages below another root."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rpm

from .errors import Failure
from .text import NEVRA

DATABASE = "/usr/share/rpm"


@dataclass(frozen=True)
class RpmFile:
    """An rpm on disk and its header."""

    path: Path
    header: Any

    @property
    def name(self) -> str:
        """The package's name."""
        return str(self.header[rpm.RPMTAG_NAME])

    @property
    def row(self) -> NEVRA:
        """Name, epoch, version, release, architecture, as in package lists of commits."""
        header = self.header
        return (
            self.name,
            str(header[rpm.RPMTAG_EPOCH] or 0),
            str(header[rpm.RPMTAG_VERSION]),
            str(header[rpm.RPMTAG_RELEASE]),
            str(header[rpm.RPMTAG_ARCH]),
        )


@dataclass(frozen=True)
class Missing:
    """A dependency without a provider, and the package that requires it."""

    needed: str
    package: str


def _transaction(root: str) -> Any:
    rpm.setVerbosity(rpm.RPMLOG_CRIT)
    rpm.addMacro("_dbpath", DATABASE)
    transaction = rpm.TransactionSet(root)
    transaction.setVSFlags(rpm._RPMVSF_NOSIGNATURES)
    return transaction


def read(path: Path) -> RpmFile:
    """Open a package. Raises `Failure` for a file that is not one."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise Failure(f"can't open {path}: {error.strerror}") from error
    try:
        return RpmFile(path, _transaction("/").hdrFromFdno(descriptor))
    except rpm.error as error:
        raise Failure(f"Importing package '{path.name}': {error}") from error
    finally:
        os.close(descriptor)


def installed(root: str, name: str) -> list[NEVRA]:
    """Return the packages in the database below `root` that are called or provide `name`."""
    transaction = _transaction(root)
    tag = rpm.RPMTAG_BASENAMES if name.startswith("/") else rpm.RPMTAG_PROVIDENAME
    return [RpmFile(Path(), header).row for header in transaction.dbMatch(tag, name)]


def missing(root: str, files: Sequence[RpmFile]) -> list[Missing]:
    """Return dependencies of `files` that neither they nor the system below `root` provide.

    Raises `Failure` when they conflict with the system or each other (`Conflicts:` and the like).
    """
    transaction = _transaction(root)
    for file in files:
        transaction.addInstall(file.header, str(file.path), "i")
    transaction.check()
    result = []
    for problem in transaction.problems():
        if problem.type != rpm.RPMPROB_REQUIRES:
            raise Failure(f"Could not depsolve transaction; 1 problem detected:\n Problem: {problem}")
        # librpm has the dependency itself (`name`, or `name >= version`) in no public attribute.
        result.append(Missing(str(problem._str), str(problem.altNEVR)))
    return result


def install(root: str, files: Sequence[RpmFile]) -> None:
    """Install `files` below `root`, including scripts.

    Raises `Failure` with rpm's message for file conflicts, failed scripts and the like.
    """
    transaction = _transaction(root)
    transaction.setFlags(rpm.RPMTRANS_FLAG_NOPLUGINS)
    for file in files:
        transaction.addInstall(file.header, str(file.path), "i")
    transaction.check()
    transaction.order()
    descriptors: list[int] = []
    failed: list[str] = []

    def callback(what: int, _amount: int, _total: int, key: Any, _data: Any) -> int | None:
        if what == rpm.RPMCALLBACK_INST_OPEN_FILE:
            descriptors.append(os.open(key, os.O_RDONLY))
            return descriptors[-1]
        if what == rpm.RPMCALLBACK_INST_CLOSE_FILE:
            os.close(descriptors.pop())
        elif what in (rpm.RPMCALLBACK_UNPACK_ERROR, rpm.RPMCALLBACK_CPIO_ERROR, rpm.RPMCALLBACK_SCRIPT_ERROR):
            failed.append(next((file.name for file in files if str(file.path) == key), str(key)))
        return None

    problems = transaction.run(callback, "")
    transaction.closeDB()
    if problems:
        words = [problem[0] if isinstance(problem, tuple) else problem for problem in problems]
        raise Failure("\n".join(str(word) for word in words))
    if problems is not None or failed:
        raise Failure(f"Running a scriptlet of, or unpacking, {', '.join(failed) or 'a package'} failed")


def compare(one: NEVRA, other: NEVRA) -> int:
    """Compare epoch, version and release: positive when `one` is newer."""
    return int(rpm.labelCompare(one[1:4], other[1:4]))


def everything(root: str) -> list[NEVRA]:
    """Return all packages in the database below `root`."""
    return [RpmFile(Path(), header).row for header in _transaction(root).dbMatch()]


def settle_database(directory: Path) -> None:
    """Leave one file that is readable on a read-only file system: no write-ahead log, no lock."""
    database = directory / "rpmdb.sqlite"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    for path in directory.iterdir():
        if path.name != database.name:
            path.unlink()
