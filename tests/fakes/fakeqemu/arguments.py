"""QEMU's command line, as far as the harness writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FLAGS = frozenset({"-S", "-nodefaults", "-no-user-config", "-no-reboot", "-nographic", "-snapshot"})
# fmt: off
_VALUED = frozenset({
    "-name", "-display", "-machine", "-accel", "-cpu", "-smp", "-m", "-object", "-device", "-numa",
    "-global", "-drive", "-chardev", "-mon", "-serial", "-fw_cfg", "-blockdev", "-netdev", "-kernel",
    "-initrd", "-append", "-tpmdev", "-smbios", "-cdrom", "-boot", "-rtc", "-incoming",
})
# fmt: on


class BadUsage(Exception):
    """A usage error that QEMU prints before it exits with status 1."""


@dataclass(frozen=True)
class Arguments:
    accelerator: str
    paused: bool
    qmp: int | None
    console: int | None
    ports: dict[str, int]
    config: str | None
    guest_port: int | None
    probe_exit: bool


def parse(argv: list[str]) -> Arguments:
    options = list(_options(argv))

    def every(name: str) -> list[str]:
        return [value for key, value in options if key == name]

    chardevs = {
        words["id"]: int(words["fd"]) for text in every("-chardev") if "fd" in (words := _words(text))
    }
    monitor = next((_words(text)["chardev"] for text in every("-mon")), None)
    serial = next((text.removeprefix("chardev:") for text in every("-serial")), None)
    devices = [_words(text) for text in every("-device")]
    ports = {words["name"]: chardevs[words["chardev"]] for words in devices if words[""] == "virtserialport"}
    for memory in (_words(text) for text in every("-object")):
        if "mem-path" in memory and not Path(memory["mem-path"]).parent.is_dir():
            raise BadUsage(f"can't open backing store {memory['mem-path']}: No such file or directory")
    configs = [_words(text) for text in every("-fw_cfg")]
    forward = re.search(r"hostfwd=tcp:127\.0\.0\.1:0-:(\d+)", " ".join(every("-netdev")))
    return Arguments(
        accelerator=next((text.partition(",")[0] for text in every("-accel")), "tcg"),
        paused=any(key == "-S" for key, _ in options),
        qmp=chardevs[monitor] if monitor else None,
        console=chardevs[serial] if serial else None,
        ports=ports,
        config=next((c["file"] for c in configs if c.get("name") == "opt/com.coreos/config"), None),
        guest_port=int(forward[1]) if forward else None,
        probe_exit=any(words[""] == "isa-debug-exit" for words in devices),
    )


def _options(argv: list[str]) -> list[tuple[str, str]]:
    found = []
    words = iter(argv)
    for word in words:
        if word in _FLAGS:
            found.append((word, ""))
        elif word in _VALUED:
            value = next(words, None)
            if value is None:
                raise BadUsage(f"{word}: requires an argument")
            found.append((word, value))
        else:
            raise BadUsage(f"{word}: invalid option")
    return found


def _words(text: str) -> dict[str, str]:
    """`kind,key=value,…`; the word without a key is found under the empty one. `,,` is a comma in a value."""
    words = {}
    for word in text.replace(",,", "\0").split(","):
        key, equals, value = word.replace("\0", ",").partition("=")
        words[key if equals else ""] = value if equals else words.get("", key)
    return words
