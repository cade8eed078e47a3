"""Mapping of paths in the resulting Ignition config back to places in the source document."""

from __future__ import annotations

from harness.butane.keys import snake
from harness.ignition.findings import Path
from harness.ignition.schema import CONFIG, Object, Struct

_ORIGINS_OF = {
    "source": ("inline", "local"),
    "compression": ("inline", "local"),
    "contents": ("contents_local",),
    "sshAuthorizedKeys": ("ssh_authorized_keys_local",),
}


class Locator:
    """The mapper. `own` is the translated document; `generated` maps (list, key) to the path of the sugar."""

    def __init__(self, result: Object, own: Object, generated: dict[tuple[str, str], Path]) -> None:
        self._result = result
        self._own = own
        self._generated = generated

    def locate(self, path: Path, lines: dict[Path, int]) -> Path:
        """Return the deepest place in the document that a path of the result leads to.

        `lines` are the document's.
        """
        translated = self._follow(path)
        if translated in lines:
            return translated
        for position in range(len(path) - 1, -1, -1):
            for origin in _ORIGINS_OF.get(str(path[position]), ()):
                candidate = (*translated[:position], origin)
                if candidate in lines:
                    return candidate
        while translated and translated not in lines:
            parent = translated[:-1]
            # A missing key is still named, below the object that lacks it.
            if isinstance(translated[-1], str) and parent in lines:
                return translated
            translated = parent
        return translated or tuple(snake(part) if isinstance(part, str) else part for part in path)

    def _follow(self, path: Path) -> Path:
        """Return the path in snake case, with the index that each keyed entry had in the document before
        merging.
        """
        followed: Path = ()
        result: object = self._result
        own: object = self._own
        struct: Struct | None = CONFIG
        name = ""
        for part in path:
            if isinstance(part, str):
                name = part
                result, own = _child(result, part), _child(own, part)
                known = struct.fields.get(part) if struct else None
                struct = known.kind if known and isinstance(known.kind, Struct) else None
                followed = (*followed, snake(part))
                continue
            siblings = _keys(result, struct)
            result = result[part] if isinstance(result, list) and part < len(result) else None
            key = siblings[part] if part < len(siblings) else str(result)
            index = _index_of(own, key, struct, earlier=siblings[:part].count(key))
            if index is None:
                return self._generated.get((name, key), (*followed, part))
            own = own[index] if isinstance(own, list) else None
            followed = (*followed, index)
        return followed


def _child(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _keys(entries: object, struct: Struct | None) -> list[str]:
    if not isinstance(entries, list):
        return []
    return [struct.key(item) if struct and isinstance(item, dict) else str(item) for item in entries]


def _index_of(own: object, key: str, struct: Struct | None, *, earlier: int) -> int | None:
    """Return the index of the document's entry with this key; of duplicates, the one after `earlier`
    others.
    """
    indexes = [index for index, other in enumerate(_keys(own, struct)) if other == key]
    return indexes[min(earlier, len(indexes) - 1)] if indexes else None
