"""The keys of a Butane config: Ignition's in snake case, and Butane's own beside them.

Format: Butane's configuration specifications for fcos 1.0 to 1.6 and flatcar 1.0 to 1.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.butane.spec import Spec, family_of
from harness.ignition import schema
from harness.ignition.schema import Scalar, Struct


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a Butane config.

    `json` is the Ignition key that it is copied to; None when it needs translation.

    `minor` is the Ignition minor that introduced it; `fcos` is the fcos minor if it is Butane sugar of that
    family.
    """

    kind: Scalar | Shape
    many: bool = False
    minor: int = 0
    fcos: int | None = None
    json: str | None = None

    def available(self, spec: Spec) -> bool:
        return spec.minor >= self.minor and (self.fcos is None or spec.has_sugar_of(self.fcos))

    def first_version(self, variant: str) -> Spec | None:
        return next((spec for spec in family_of(variant) if self.available(spec)), None)


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    keys: dict[str, Key] = field(repr=False)


def snake(name: str) -> str:
    """Convert to snake case: `sizeMiB` becomes `size_mib`."""
    return re.sub(r"(MiB|[A-Z])", r"_\1", name).lower()


def _text(minor: int = 0, fcos: int | None = None, *, many: bool = False) -> Key:
    return Key(Scalar.STRING, many, minor, fcos)


def _number() -> Key:
    return Key(Scalar.INTEGER)


def _flag(minor: int = 0, fcos: int | None = None) -> Key:
    return Key(Scalar.BOOLEAN, False, minor, fcos)


_TREE = Shape("tree", {"local": _text(), "path": _text()})
_SUGAR: dict[str, dict[str, Key]] = {
    schema.RESOURCE.name: {"inline": _text(), "local": _text(1)},
    schema.REFERENCE.name: {"inline": _text(1), "local": _text(1)},
    schema.STORAGE.name: {"trees": Key(_TREE, many=True, minor=1)},
    schema.FILESYSTEM.name: {"with_mount_unit": _flag(1)},
    schema.USER.name: {"ssh_authorized_keys_local": _text(4, many=True)},
    schema.UNIT.name: {"contents_local": _text(4)},
    schema.DROPIN.name: {"contents_local": _text(4)},
}


def _derive(struct: Struct) -> Shape:
    keys = {
        snake(name): Key(
            _derive(part.kind) if isinstance(part.kind, Struct) else part.kind,
            many=part.many,
            minor=part.since,
            json=name,
        )
        for name, part in struct.fields.items()
        if (struct.name, name) != ("ignition", "version")
    }
    return Shape(struct.name, {**keys, **_SUGAR.get(struct.name, {})})


_BOOT_LUKS = Shape(
    "boot-luks",
    {
        "cex": Key(_derive(schema.CEX), fcos=6),
        "device": _text(fcos=6),
        "discard": _flag(fcos=5),
        "tang": Key(_derive(schema.TANG), many=True),
        "threshold": _number(),
        "tpm2": _flag(),
    },
)
_BOOT_DEVICE = Shape(
    "boot-device",
    {
        "layout": _text(),
        "luks": Key(_BOOT_LUKS),
        "mirror": Key(Shape("boot-mirror", {"devices": _text(many=True)})),
    },
)
_GRUB_USER = Shape("grub-user", {"name": _text(), "password_hash": _text()})
GRUB = Key(Shape("grub", {"users": Key(_GRUB_USER, many=True)}), fcos=5)

DOCUMENT = Shape(
    "document",
    {
        "variant": _text(),
        "version": _text(),
        **_derive(schema.CONFIG).keys,
        "boot_device": Key(_BOOT_DEVICE, fcos=3),
        "grub": GRUB,
    },
)
