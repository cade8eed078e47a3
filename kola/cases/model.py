"""The data model of tests and their outcomes, shared by all of kola."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from harness.util.quote import quote
from harness.util.suggest import did_you_mean

ARCHITECTURES = frozenset({"x86_64", "aarch64", "ppc64le", "s390x", "riscv64", "loongarch64"})
"""The architectures that NestOS, openEuler or the Go kola know, as `uname -m` names them."""

_CLOUDS = (
    (
        "aliyun",
        "aws",
        "azure",
        "do",
        "equinixmetal",
        "exoscale",
        "gcp",
        "ibmcloud",
        "packet",
        "powervs",
        "vultr",
    ),
    ("esx", "external", "hyperv", "kubevirt", "nutanix", "openstack", "proxmoxve", "virtualbox", "vmware"),
)
PLATFORMS = frozenset({"qemu", "qemu-iso", "libvirt", "metal"}.union(*_CLOUDS))
"""The platforms that a test may name: ours, and those for which coreos-assembler makes images."""

_WORD = re.compile(r"[\w.+-]+")


class Verdict(StrEnum):
    """The outcome of one test, in the words of kola's report.json."""

    PASS = "PASS"
    FAIL = "FAIL"
    WARN = "WARN"
    SKIP = "SKIP"
    FLAKY = "FLAKY"


class FailureKind(StrEnum):
    """The party that has to act on a failure."""

    TEST = "test"
    GUEST = "guest"
    INFRASTRUCTURE = "infrastructure"
    CONFIG = "config"
    TIMEOUT = "timeout"


@dataclass(frozen=True)
class Selector:
    """An allow-list, or with `exclude` a deny-list, of words; an empty one allows everything."""

    words: tuple[str, ...] = ()
    exclude: bool = False

    @classmethod
    def parse(cls, text: str, *, known: Collection[str] = ()) -> Selector:
        """Parse kola's syntax: words separated by blanks; a leading `!` makes the whole list an exclusion.

        Raises ValueError for a word that can match nothing: one with a comma or a `!`, or one that is not
        among the `known` words, if there are any.
        """
        stripped = text.strip()
        exclude = stripped.startswith("!")
        words = tuple(stripped.removeprefix("!").split())
        for word in words:
            if word.startswith("!"):
                raise ValueError(
                    f"{quote(word)}: only the first word may have a `!`, which excludes all the words"
                )
            if not _WORD.fullmatch(word):
                raise ValueError(f"{quote(word)} is not a name; separate names by blanks")
            if known and word not in known:
                raise ValueError(f"{quote(word)} is unknown; {did_you_mean(word, known)}")
        if exclude and not words:
            raise ValueError("`!` excludes nothing: a name must follow")
        return cls(words=words, exclude=exclude)

    def allows(self, word: str) -> bool:
        if not self.words:
            return True
        return (word in self.words) != self.exclude


@dataclass(frozen=True)
class TestInfo:
    """A test as selection sees it, whether written in Python or in shell.

    `minutes` is None for the default of the context (10, or 1 inside a bucket). `source` is the file to show
    to a person. `tokens` and `host_ports` are resources it must have to itself on the whole host. `family` is
    the name that all cases of a parametrised test share; patterns may match it to select all of them.
    """

    __test__ = False

    name: str
    description: str = ""
    tags: frozenset[str] = frozenset()
    required_tag: str | None = None
    platforms: Selector = field(default_factory=Selector)
    architectures: Selector = field(default_factory=Selector)
    distros: Selector = field(default_factory=Selector)
    exclusive: bool = True
    conflicts: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    host_ports: tuple[int, ...] = ()
    minutes: float | None = None
    firmware: Selector = field(default_factory=Selector)
    needs: tuple[str, ...] = ()
    grace_until: str | None = None
    guide: tuple[str, ...] = ()
    source: Path | None = None
    line: int | None = None
    family: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a pattern may match."""
        return (self.name, self.family) if self.family else (self.name,)
