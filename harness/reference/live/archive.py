"""Archives for the kernel's initramfs, written as streams, since their content is too large for memory.

Format newc: the Linux documentation, driver-api/early-userspace/buffer-format.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from harness.reference.build.command import run

# Of `rdcore stream-hash`: it hands on what it read once the hash of so many bytes was right.
_HASHED_BYTES = 2 * 1024 * 1024
_REGULAR = 0o100644


def write_plain(members: Sequence[tuple[str, Path]], target: Path) -> None:
    """Write an uncompressed archive of these files, in this order, under these names."""
    with target.open("wb") as out:
        for inode, (name, source) in enumerate(members, start=1):
            size = source.stat().st_size
            out.write(_header(name, size, inode, _REGULAR))
            with source.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            out.write(bytes(-size % 4))
        out.write(_header("TRAILER!!!", 0, 0, 0))


def _header(name: str, size: int, inode: int, mode: int) -> bytes:
    raw = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(raw), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
    return header + bytes(-len(header) % 4)


def write_compressed(tree: Path, target: Path) -> None:
    """Write a zstd-compressed archive of everything below `tree`, owned by root."""
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    plain = target.with_suffix(".cpio")
    run(
        ["cpio", "--create", "--format=newc", "--reproducible", "--quiet", "--owner=+0:+0", "-O", plain],
        stdin="".join(f"{name}\n" for name in names),
        cwd=tree,
    )
    run(["zstd", "-q", "-f", "-12", "-T0", plain, "-o", target])
    plain.unlink()


def write_joined(archives: Sequence[Path], target: Path) -> None:
    """Write the archives one after the other, with zeros behind each.

    The kernel wants archives to begin at multiples of 4 bytes. A zstd reader takes what follows a frame at
    once for more of it, and the installer refuses such an archive: so there are zeros in any case.
    """
    with target.open("wb") as out:
        for part in archives:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out)
            out.write(bytes(4 + -out.tell() % 4))


def stream_hashes(image: Path) -> str:
    """Return the hashes with which `rdcore stream-hash` compares a fetched `image`."""
    lines = [f"stream-hash sha256 {_HASHED_BYTES}"]
    with image.open("rb") as file:
        while block := file.read(_HASHED_BYTES):
            lines.append(hashlib.sha256(block).hexdigest())
    return "\n".join(lines) + "\n"
