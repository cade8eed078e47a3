"""Type checks of the keywords of `pytest.mark.machine`, made before a machine starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig
from harness.machine.health import CHECKS
from harness.machine.signs import PATTERNS
from harness.util.suggest import did_you_mean


def check_keywords(words: Mapping[str, Any]) -> None:
    """Raise ConfigError for the first value of a wrong type or unknown health check."""
    for key, value in words.items():
        check = _CHECKS.get(key)
        wrong = check(value) if check is not None else None
        if wrong is not None:
            shown = "" if key == "ignition" else f", unlike {value!r:.60}"
            raise ConfigError(f"machine marker: {key} {wrong}{shown}")
    for name in words.get("opt_out", ()):
        if name not in check_names():
            raise ConfigError(
                f"machine marker: opt_out: there is no check {name!r}",
                hint=did_you_mean(str(name), check_names()),
            )


def check_names() -> frozenset[str]:
    """Return the health checks that a test may opt out of."""
    return frozenset(CHECKS) | {pattern.cause for pattern in PATTERNS}


def _whole(least: int) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return None if good else f"is a whole number, {least} or more"

    return check


def _words(value: Any) -> str | None:
    good = isinstance(value, list | tuple | set | frozenset) and all(isinstance(word, str) for word in value)
    return None if good else "is a list of texts"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "is True or False"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "is a text"


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _config(value: Any) -> str | None:
    ignored = IgnitionConfig.from_dict(value).ignored if isinstance(value, dict) else ()
    return f"has {ignored[0].path}, which Ignition does not know" if ignored else None


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "memory_mib": _whole(1),
    "cpus": _whole(1),
    "additional_nics": _whole(0),
    "numa_nodes": _flag,
    "count": _whole(1),
    "internet": _flag,
    "network": _flag,
    "display": _flag,
    "swtpm": _flag,
    "disks": _words,
    "opt_out": _words,
    "qemu_args": _words,
    "kernel_args": _text,
    "firstboot_kernel_args": _text,
    "primary_size": _optional_text,
    "primary_disk": _text,
    "ignition": _config,
}
