"""The tree of the reference OS."""

from __future__ import annotations

from pathlib import Path

from harness.reference.build import tree


def test_what_is_removed_is_gone_links_to_it_too(tmp_path: Path) -> None:
    (tmp_path / "sbin").mkdir()
    (tmp_path / "share/doc/x").mkdir(parents=True)
    for name in ("sbin/adduser", "sbin/kept", "share/doc/x/copyright"):
        (tmp_path / name).touch()
    (tmp_path / "sbin/addgroup").symlink_to("adduser")
    (tmp_path / "share/link").symlink_to("doc")
    tree.remove(
        tmp_path, ("sbin/adduser", "sbin/addgroup", "share/doc", "share/doc/*", "share/link", "never/was")
    )
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"sbin", "sbin/kept", "share"}
