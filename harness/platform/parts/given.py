"""The Ignition config in the form that QEMU passes to a machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.ignition import IgnitionConfig
from harness.machine.spec import MachineSpec
from harness.platform.parts import hostdirs


@dataclass(frozen=True)
class GivenConfig:
    """A config, raw bytes that are passed unchanged, or None, in which case Ignition finds no config.

    It is padded with blanks at its end to `pad_to` bytes.
    """

    content: IgnitionConfig | bytes | None
    pad_to: int | None = None

    def to_bytes(self, spec: MachineSpec, directory: Path) -> bytes | None:
        """Return the bytes, with the mounts of the spec's host directories.

        Keeps a redacted copy in `directory`.

        Raw bytes are kept unredacted, since they may not be a config at all.
        """
        kept = directory / "ignition.json"
        match self.content:
            case None:
                return None
            case bytes() as content:
                kept.write_bytes(content)
                return content.ljust(self.pad_to or 0)
            case IgnitionConfig() as config:
                if spec.host_directories:
                    config = config.merge(hostdirs.mounts(spec.host_directories))
                text = config.redact().to_json(pretty=True)
                kept.write_text(text, encoding="utf-8", errors="surrogatepass")
                return config.to_bytes(pad_to=self.pad_to)


NOTHING = GivenConfig(None)
