"""A small OS in a directory, deployed by ostree, and rpms to layer on it: what the stand-in is tried on."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.reference.build.packages import from_dpkg
from harness.reference.build.recipe import GUEST
from harness.reference.build.rpmheader import InstalledFile, InstalledPackage, header

REF = "nestos/x86_64/reference"
_BASE = (
    InstalledPackage(
        from_dpkg("dash", "0.5-1", "amd64"),
        "a shell",
        (InstalledFile("/usr/bin/sh", 0o100755, 1, 1_700_000_000, "0" * 32),),
        ("/bin/sh",),
    ),
    InstalledPackage(from_dpkg("bash", "5.2-1", "amd64"), "another shell", ()),
)


@dataclass(frozen=True)
class Outcome:
    """The output and status of a command."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Lab:
    """The directories: `tree` is what gets committed, `repo` the build's, `sysroot` the machine."""

    path: Path

    @property
    def tree(self) -> Path:
        return self.path / "tree"

    @property
    def repo(self) -> Path:
        return self.path / "repo"

    @property
    def sysroot(self) -> Path:
        return self.path / "sysroot"

    def make(self) -> Lab:
        """Commit version 1.0 and deploy it."""
        usr = self.tree / "usr"
        for name in ("bin", "etc", "lib/modules/6.1", "share/rpm"):
            (usr / name).mkdir(parents=True)
        for name in ("var", "tmp", "run", "dev", "proc", "sys", "sysroot"):
            (self.tree / name).mkdir()
        for name, target in (("bin", "usr/bin"), ("lib", "usr/lib"), ("ostree", "sysroot/ostree")):
            (self.tree / name).symlink_to(target)
        (usr / "lib/modules/6.1/vmlinuz").write_text("kernel")
        (usr / "lib/modules/6.1/initramfs.img").write_text("initramfs")
        (usr / "lib/os-release").write_text('ID=nestos\nPRETTY_NAME="NestOS test"\n')
        (usr / "etc/base.conf").write_text("base\n")
        (usr / "bin/sh").write_text("#!\n")
        content = b"".join(header(entry, timestamp=1_756_684_800) for entry in _BASE)
        run("rpmdb", "--dbpath", usr / "share/rpm", "--importdb", stdin=content)
        with sqlite3.connect(usr / "share/rpm/rpmdb.sqlite") as database:
            database.execute("PRAGMA journal_mode=DELETE")
        for path in (usr / "share/rpm").glob("*"):
            if path.name != "rpmdb.sqlite":
                path.unlink()
        run("ostree", "init", f"--repo={self.repo}", "--mode=bare")
        checksum = self.commit("1.0")
        self.sysroot.mkdir()
        admin = ("ostree", "admin", f"--sysroot={self.sysroot}")
        run("ostree", "admin", "init-fs", self.sysroot)
        run(*admin, "os-init", "nestos")
        system = f"--repo={self.sysroot}/ostree/repo"
        run("ostree", "config", system, "set", "sysroot.bootloader", "none")
        run("ostree", "remote", "add", system, "--no-gpg-verify", "openEuler", f"file://{self.repo}")
        run("ostree", "pull", system, "openEuler", REF)
        run(*admin, "deploy", "--os=nestos", "--karg-append=root=LABEL=root", f"openEuler:{REF}")
        assert checksum
        return self

    def commit(self, version: str) -> str:
        """Commit the tree as it is as `version`; the checksum."""
        rows = sorted(entry.package.row for entry in _BASE)
        return run(
            "ostree",
            "commit",
            f"--repo={self.repo}",
            f"--branch={REF}",
            f"--tree=dir={self.tree}",
            "--bootable",
            "--no-xattrs",
            f"--add-metadata-string=version={version}",
            f"--add-metadata=rpmostree.rpmdb.pkglist={rows!r}",
        ).strip()

    def rpm_ostree(self, *arguments: str | Path) -> Outcome:
        """Run the stand-in on the sysroot."""
        result = subprocess.run(
            ["/usr/bin/python3", "-m", "rpmostree", f"--sysroot={self.sysroot}", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(GUEST), "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert "Traceback" not in result.stderr, result.stderr
        return Outcome(result.returncode, result.stdout, result.stderr)

    def status(self) -> list[dict[str, Any]]:
        """The deployments as `status --json` has them."""
        deployments = json.loads(self.rpm_ostree("status", "--json").stdout)["deployments"]
        assert isinstance(deployments, list)
        return deployments

    def deployed(self, index: int = 0) -> Path:
        """The directory of a deployment."""
        row = self.status()[index]
        return self.sysroot / f"ostree/deploy/nestos/deploy/{row['checksum']}.{row['serial']}"

    def rpm(self, name: str, *tags: str, files: dict[str, str] | None = None, post: str = "") -> Path:
        """Build a noarch package `name` 1.0-1 with `files` (by default one program of its name)."""
        content = files if files is not None else {f"/usr/bin/{name}": f"#!/bin/sh\necho {name}\n"}
        top = self.path / "rpmbuild"
        source = top / name
        shutil.rmtree(source, ignore_errors=True)
        for path, text in content.items():
            target = source / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        spec = top / f"{name}.spec"
        head = "\n".join(
            ["Version: 1.0", "Release: 1", "License: MIT", "BuildArch: noarch", "AutoReqProv: no", *tags]
        )
        listed = "\n".join(content)
        script = f"%post\n{post}\n" if post else ""
        spec.write_text(
            f"Name: {name}\nSummary: {name}\n{head}\n%description\n{name}\n"
            f"%install\ncp -a {source}/. %{{buildroot}}/\n%files\n{listed}\n{script}"
        )
        run("rpmbuild", "--quiet", "-bb", "--define", f"_topdir {top}", spec)
        return top / f"RPMS/noarch/{name}-1.0-1.noarch.rpm"

    def remove(self) -> None:
        """Take everything away; deployments are immutable until told otherwise."""
        for path in self.sysroot.glob("ostree/deploy/*/deploy/*"):
            subprocess.run(["chattr", "-i", path], check=False, capture_output=True)
        shutil.rmtree(self.path)


def run(*words: str | Path, stdin: bytes | None = None) -> str:
    """Run a program that has to succeed; its output."""
    result = subprocess.run([str(word) for word in words], input=stdin, capture_output=True, check=False)
    assert result.returncode == 0, (words, result.stderr.decode())
    return result.stdout.decode()
