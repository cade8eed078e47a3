"""The stand-in for rpm-ostree on a sysroot in a directory: packages come, go, and fail without a trace."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin_lab import REF, Lab, run


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A system on which nothing that is tried succeeds."""
    made = Lab(tmp_path_factory.mktemp("untouched") / "lab").make()
    yield made
    made.remove()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path / "lab").make()
    yield made
    made.remove()


def _query(tree: Path, *arguments: str) -> str:
    result = subprocess.run(
        ["rpm", "--dbpath", tree / "usr/share/rpm", *arguments], capture_output=True, text=True, check=False
    )
    return result.stdout.strip()


def test_text_and_json_say_the_same(untouched: Lab) -> None:
    lab = untouched
    (row,) = lab.status()
    text = lab.rpm_ostree("status").stdout
    assert row["origin"] == f"openEuler:{REF}"
    assert row["version"] == "1.0"
    assert row["requested-packages"] == row["requested-local-packages"] == row["packages"] == []
    assert f"  openEuler:{REF}\n" in text
    assert "Version: 1.0 (" in text
    assert f"Commit: {row['checksum']}\n" in text
    assert "StateRoot" not in text
    assert "StateRoot: nestos" in lab.rpm_ostree("status", "-v").stdout


def test_a_local_package_is_layered_and_taken_away_again(lab: Lab) -> None:
    base = lab.status()[0]["checksum"]
    package = lab.rpm(
        "probe",
        "Requires: bash /bin/sh",
        files={
            "/usr/bin/probe": "#!/bin/sh\n",
            "/etc/probe.conf": "default\n",
            "/var/lib/probe/state": "left out\n",
        },
    )
    done = lab.rpm_ostree("install", package)
    assert done.status == 0, done.stderr
    assert "Added:\n  probe-1.0-1.noarch\n" in done.stdout
    assert 'Run "systemctl reboot" to start a reboot' in done.stdout
    first, second = lab.status()
    assert first["requested-local-packages"] == ["probe-1.0-1.noarch"]
    assert first["base-checksum"] == second["checksum"] == base
    assert first["version"] == "1.0"
    assert "LocalPackages: probe-1.0-1.noarch" in lab.rpm_ostree("status").stdout
    tree = lab.deployed()
    assert (tree / "usr/bin/probe").exists()
    assert (tree / "usr/etc/probe.conf").read_text() == (tree / "etc/probe.conf").read_text() == "default\n"
    assert "d /var/lib/probe " in (tree / "usr/lib/tmpfiles.d/rpm-ostree-autovar.conf").read_text()
    assert _query(tree, "-q", "probe") == "probe-1.0-1.noarch"
    assert [path.name for path in (tree / "usr/share/rpm").iterdir()] == ["rpmdb.sqlite"]
    assert "not installed" in _query(lab.deployed(1), "-q", "probe")
    assert len(list((lab.sysroot / "boot/loader/entries").glob("*.conf"))) == 2

    gone = lab.rpm_ostree("uninstall", "probe")
    assert gone.status == 0, gone.stderr
    assert "Removed:\n  probe-1.0-1.noarch\n" in gone.stdout
    assert lab.status()[0]["checksum"] == base
    assert lab.status()[0]["requested-local-packages"] == []
    assert not (lab.deployed() / "usr/bin/probe").exists()


def test_packages_stay_when_the_base_is_upgraded(lab: Lab) -> None:
    lab.rpm_ostree("install", lab.rpm("probe"))
    (lab.tree / "usr/share/new").write_text("2\n")
    newer = lab.commit("2.0")
    looked = lab.rpm_ostree("upgrade", "--check")
    assert (looked.status, "Version: 2.0 (" in looked.stdout) == (0, True)
    assert len(lab.status()) == 2
    done = lab.rpm_ostree("upgrade")
    assert done.status == 0, done.stderr
    first = lab.status()[0]
    assert (first["base-checksum"], first["version"]) == (newer, "2.0")
    assert (lab.deployed() / "usr/share/new").exists()
    assert (lab.deployed() / "usr/bin/probe").exists()
    assert "No upgrade available." in lab.rpm_ostree("upgrade").stdout
    assert lab.rpm_ostree("upgrade", "--unchanged-exit-77").status == 77
    assert lab.rpm_ostree("upgrade", "--check").status == 77


@pytest.mark.parametrize(
    ("tags", "files", "post", "said"),
    [
        (
            ["Requires: nobody-has-this >= 3"],
            None,
            "",
            "nothing provides nobody-has-this >= 3 needed by bad-1.0-1",
        ),
        (["Conflicts: bash"], None, "", "Could not depsolve transaction"),
        ([], {"/usr/bin/sh": "mine"}, "", "file /usr/bin/sh from install of bad-1.0-1.noarch conflicts"),
        ([], None, "exit 3", "bad failed"),
    ],
    ids=["missing dependency", "conflict", "file conflict", "script"],
)
def test_what_cannot_be_installed_leaves_all_as_it_was(
    untouched: Lab, tags: list[str], files: dict[str, str] | None, post: str, said: str
) -> None:
    lab = untouched
    before = lab.status()
    refs = run("ostree", "refs", f"--repo={lab.sysroot}/ostree/repo")
    failed = lab.rpm_ostree("install", lab.rpm("bad", *tags, files=files, post=post))
    assert failed.status == 1
    assert said in failed.stderr
    assert failed.stderr.count("error:") >= 1
    assert lab.status() == before
    assert run("ostree", "refs", f"--repo={lab.sysroot}/ostree/repo") == refs
    assert not list((lab.sysroot / "ostree/repo/tmp").glob("rpmostree-*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["install", "/nowhere/x.rpm"], "can't open /nowhere/x.rpm: No such file or directory"),
        (["install", "bash"], '"bash" is already provided by:'),
        (["install", "--apply-live", "x"], "--apply-live is not part of this stand-in"),
        (["uninstall", "x"], "Package/capability 'x' is not currently requested"),
        (["initramfs", "--enable"], "initramfs is not part of this stand-in"),
        (["rollback"], "No rollback deployment found"),
        (["cleanup"], "At least one cleanup option must be specified"),
        (["kargs", "--delete=nothing"], "No key 'nothing' found"),
        (["rebase", f"openEuler:{REF}"], f"Old and new refs are equal: openEuler:{REF}"),
        (["rebase", "openEuler:other"], "While pulling openEuler:other: "),
        (["frobnicate"], "Unknown command 'frobnicate'"),
    ],
)
def test_what_is_refused_is_said_in_one_line(untouched: Lab, words: list[str], said: str) -> None:
    before = untouched.status()
    refused = untouched.rpm_ostree(*words)
    assert refused.status == 1
    assert f"error: {said}" in refused.stderr
    assert untouched.status() == before


def test_rollback_swaps_and_cleanup_keeps_the_first(lab: Lab) -> None:
    lab.rpm_ostree("install", lab.rpm("probe"))
    newer, older = lab.status()
    assert lab.rpm_ostree("rollback").stdout.startswith(
        f"Moving '{older['checksum']}.0' to be first deployment\n"
    )
    assert [row["checksum"] for row in lab.status()] == [older["checksum"], newer["checksum"]]
    entries = lab.sysroot / "boot/loader/entries"
    assert f"/{older['checksum']}.0" not in (entries / "ostree-1-nestos.conf").read_text()
    assert lab.rpm_ostree("cleanup", "-rpmb").status == 0
    assert [row["checksum"] for row in lab.status()] == [older["checksum"]]
    assert not list((lab.sysroot / "ostree/repo/extensions/rpmostree/pkgcache").iterdir())


def test_a_local_branch_can_be_rebased_to(lab: Lab) -> None:
    origin = lab.status()[0]["checksum"]
    repo = f"--repo={lab.sysroot}/ostree/repo"
    made = run(
        "ostree", "commit", repo, "-b", "local-branch", f"--tree=ref={origin}",
        "--add-metadata-string=version=kola-test-1.0",
    ).strip()  # fmt: skip
    assert lab.rpm_ostree("rebase", ":local-branch").status == 0
    first = lab.status()[0]
    assert (first["origin"], first["checksum"], first["version"]) == ("local-branch", made, "kola-test-1.0")


def test_kernel_arguments_are_a_new_deployment_of_the_same_commit(lab: Lab) -> None:
    assert lab.rpm_ostree("kargs").stdout == "root=LABEL=root\n"
    assert lab.rpm_ostree("kargs", "--append=one=1", "--append-if-missing=two").status == 0
    assert lab.rpm_ostree("kargs").stdout == "root=LABEL=root one=1 two\n"
    assert lab.rpm_ostree("kargs", "--replace=one=2", "--delete=two").status == 0
    assert lab.rpm_ostree("kargs").stdout == "root=LABEL=root one=2\n"
    same = lab.rpm_ostree("kargs", "--delete-if-present=two", "--unchanged-exit-77")
    assert (same.status, same.stdout) == (77, "No changes.\n")
    first, second = lab.status()
    assert first["checksum"] == second["checksum"]


def _repository(lab: Lab, *packages: Path) -> Path:
    """A repository in a directory, the only one the system knows."""
    directory = lab.path / "repository"
    directory.mkdir(exist_ok=True)
    for package in packages:
        shutil.copy(package, directory)
    run("createrepo_c", "--quiet", "--no-database", directory)
    configured = lab.deployed() / "etc/yum.repos.d"
    configured.mkdir(exist_ok=True)
    (configured / "local.repo").write_text(f"[local]\nbaseurl=file://{directory}\ngpgcheck=0\n")
    return directory


def test_a_repository_gives_a_package_and_what_it_needs(lab: Lab) -> None:
    _repository(lab, lab.rpm("library"), lab.rpm("needy", "Requires: library >= 1"))
    done = lab.rpm_ostree("install", "needy")
    assert done.status == 0, done.stderr
    assert "Added:\n  library-1.0-1.noarch\n  needy-1.0-1.noarch\n" in done.stdout
    first = lab.status()[0]
    assert (first["requested-packages"], first["packages"]) == (["needy"], ["needy"])
    assert first["requested-local-packages"] == []
    assert "LayeredPackages: needy" in lab.rpm_ostree("status").stdout
    assert (lab.deployed() / "usr/bin/library").exists()
    twice = lab.rpm_ostree("install", "needy")
    assert (twice.status, twice.stderr) == (1, "error: Package/capability 'needy' is already requested\n")


def test_a_repository_that_fails_is_named(lab: Lab) -> None:
    directory = _repository(lab, lab.rpm("probe"))
    assert "error: Packages not found: nowhere" in lab.rpm_ostree("install", "nowhere").stderr
    package = directory / "probe-1.0-1.noarch.rpm"
    content = package.read_bytes()
    package.write_bytes(content[:-1] + b"x")
    assert "probe-1.0-1.noarch.rpm: checksum doesn't match" in lab.rpm_ostree("install", "probe").stderr
    package.write_bytes(content)
    (directory / "repodata/repomd.xml").unlink()
    gone = lab.rpm_ostree("install", "probe")
    assert (gone.status, len(lab.status())) == (1, 1)
    assert "error: cannot update repo 'local': Cannot download repodata/repomd.xml" in gone.stderr
