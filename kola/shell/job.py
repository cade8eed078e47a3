"""An execution of an external test: the names of its unit, files and output in the guest."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files

from harness.errors import ConfigError
from kola.cases.external.discover import ExternalTest

ENVIRONMENT_FILE = "/run/kola-runext-env"
KOLET = "/usr/local/bin/kolet"
ERREXIT = f"{KOLET}-errexit"
"""The file that bash reads before a test, by which the command is known at which `set -e` ended it."""
EXECUTABLE_PREFIX = "kola-runext-"
MARK = "AUTOPKGTEST_REBOOT_MARK"

_UNSAFE = re.compile(r"[^\w.+@-]", re.ASCII)


@dataclass(frozen=True)
class Job:
    """A job.

    `identifier` is the unique name of the executable in the guest and of its lines in the journal.

    `archive` is the path of the build's OCI archive in the guest, when the test requests one.
    """

    test: ExternalTest
    unit: str
    identifier: str
    data: str
    archive: str | None = None

    @classmethod
    def alone(cls, test: ExternalTest, *, archive: str | None = None) -> Job:
        """Return the job of a test on its own machine."""
        return cls(test, "kola-runext.service", _identifier(test), "/var/opt/kola/extdata", archive)

    @classmethod
    def member(cls, test: ExternalTest, number: int, *, taken: Collection[str]) -> Job:
        """Return the job of member `number` of a bucket, in which other jobs have `taken` identifiers."""
        identifier = _identifier(test)
        if identifier in taken:
            identifier = f"{identifier}-{number}"
        return cls(test, f"kola-runext-{number}.service", identifier, f"/var/opt/kola/extdata-{number}")

    @property
    def executable(self) -> str:
        return f"/usr/local/bin/{self.identifier}"

    @property
    def reboots(self) -> str:
        """kolet's argument for the permission to reboot: `exclusive` if the test may reboot its machine."""
        return "exclusive" if self.test.metadata.exclusive else "shared"

    def environment(self) -> dict[str, str]:
        """Return the test's environment variables at its first start."""
        variables = {
            "KOLA_UNIT": self.unit,
            "KOLA_TEST": self.test.info.name,
            "KOLA_TEST_EXE": self.test.executable.name,
            "KOLA_EXT_DATA": self.data,
        }
        if self.archive is not None:
            variables["KOLA_EXT_OSTREE_OCIARCHIVE"] = self.archive
        return variables

    def unit_file(self) -> str:
        """Return the text of the systemd unit (systemd.service(5))."""
        text = guest_file("kola-runext.service").decode()
        variables = {**self.environment(), "BASH_ENV": ERREXIT}
        lines = [f"Environment={_unit_word(f'{key}={value}')}" for key, value in variables.items()]
        for key, value in (
            ("@TEST@", self.test.info.name.replace("%", "%%")),
            ("@IDENTIFIER@", self.identifier),
            ("@ENVIRONMENT@", "\n".join(lines)),
            ("@EXECUTABLE@", self.executable),
        ):
            text = text.replace(key, value)
        return text


def environment_file(mark: str) -> str:
    """Return a file for EnvironmentFile= (systemd.exec(5)) that passes the mark unchanged to the next
    start.
    """
    if "\0" in mark:
        raise ConfigError("the mark of a reboot cannot hold a NUL byte")
    escaped = re.sub(r'([\\"`$])', r"\\\1", mark)
    return f'{MARK}="{escaped}"\n'


def guest_file(name: str) -> bytes:
    """Return a file that we bring to every guest."""
    return files("kola.shell").joinpath("guest", name).read_bytes()


def _identifier(test: ExternalTest) -> str:
    return EXECUTABLE_PREFIX + _UNSAFE.sub("_", test.executable.name)


def _unit_word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
