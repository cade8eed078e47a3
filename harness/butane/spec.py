"""Butane's variants and versions, and the Ignition spec each one translates to."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import ConfigError
from harness.ignition.version import SpecVersion


@dataclass(frozen=True, slots=True)
class Spec:
    """A variant at one version. `fcos` is the minor of the fcos version whose sugar it has, if any."""

    variant: str
    version: str
    ignition: SpecVersion
    fcos: int | None

    def __str__(self) -> str:
        return f"{self.variant} {self.version}"

    @property
    def minor(self) -> int:
        return self.ignition.minor

    def has_sugar_of(self, fcos: int) -> bool:
        return self.fcos is not None and self.fcos >= fcos


def _spec(variant: str, version: str, minor: int, fcos: int | None) -> Spec:
    return Spec(variant, version, SpecVersion(minor), fcos)


# NestOS's Butane is not public. Version 1.0.0 writes Ignition 3.3.0, as fcos 1.4.0 does; we assume that 1.1.0
# is the next of both.
_SPECS = (
    _spec("nestos", "1.0.0", 3, 4),
    _spec("nestos", "1.1.0", 4, 5),
    _spec("fcos", "1.0.0", 0, 0),
    _spec("fcos", "1.1.0", 1, 1),
    _spec("fcos", "1.2.0", 2, 2),
    _spec("fcos", "1.3.0", 2, 3),
    _spec("fcos", "1.4.0", 3, 4),
    _spec("fcos", "1.5.0", 4, 5),
    _spec("fcos", "1.6.0", 5, 6),
    _spec("flatcar", "1.0.0", 3, None),
    _spec("flatcar", "1.1.0", 4, None),
)
_REFUSED = frozenset({"openshift", "r4e", "fiot", "rhcos"})


def find(variant: str, version: str) -> Spec:
    """Return the spec of a variant and version. Raises ConfigError that lists the known ones."""
    variants = tuple(dict.fromkeys(spec.variant for spec in _SPECS))
    if not variant:
        raise ConfigError("$.variant: a variant is required", hint=f"one of {', '.join(variants)}")
    if variant in _REFUSED:
        raise ConfigError(
            f"$.variant: {variant} configs are not translated here",
            hint=f"supported are {', '.join(variants)}",
        )
    if variant not in variants:
        raise ConfigError(
            f"$.variant: {variant!r} is not a Butane variant", hint=f"supported are {', '.join(variants)}"
        )
    if not version:
        raise ConfigError("$.version: a version is required")
    family = family_of(variant)
    for spec in family:
        if spec.version == version:
            return spec
    known = ", ".join(spec.version for spec in family)
    raise ConfigError(
        f"$.version: {variant} {version} is not a version we translate", hint=f"supported are {known}"
    )


def family_of(variant: str) -> tuple[Spec, ...]:
    """Return all versions of a variant, oldest first."""
    return tuple(spec for spec in _SPECS if spec.variant == variant)
