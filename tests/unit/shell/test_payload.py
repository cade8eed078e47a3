"""The payload for the guest: the tar stream, the unit, the environment."""

from __future__ import annotations

import io
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from external_samples import made

from harness.errors import ConfigError
from kola.shell.job import Job, environment_file
from kola.shell.payload import payload


def unpacked(job: Job) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(payload(job))) as tar:
        return {entry.name: entry for entry in tar}


def test_executable_unit_and_helpers_are_where_the_unit_looks(tmp_path: Path) -> None:
    entries = unpacked(Job.alone(made(tmp_path)))
    assert entries["usr/local/bin/kola-runext-alpha"].mode == 0o755
    assert entries["usr/local/bin/kolet"].mode == 0o755
    assert "etc/systemd/system/kola-runext.service" in entries
    assert entries["var/opt/kola/extdata"].isdir()
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}


def test_directories_of_the_system_are_left_alone(tmp_path: Path) -> None:
    directories = {name for name, entry in unpacked(Job.alone(made(tmp_path))).items() if entry.isdir()}
    assert directories == {"var/opt/kola/extdata"}


def test_links_in_data_are_followed_and_modes_kept(tmp_path: Path) -> None:
    test = made(tmp_path, files={"data/deep/plain": "x", "outside/tool": "#!/bin/sh\n"})
    (test.directory / "outside/tool").chmod(0o755)
    (test.directory / "data/tool").symlink_to("../outside/tool")
    (test.directory / "data/all").symlink_to("../outside")
    entries = unpacked(Job.alone(test))
    assert entries["var/opt/kola/extdata/tool"].isreg()
    assert entries["var/opt/kola/extdata/tool"].mode == 0o755
    assert entries["var/opt/kola/extdata/all/tool"].isreg()
    assert entries["var/opt/kola/extdata/deep/plain"].size == 1


@pytest.mark.parametrize("target", ["nowhere", "."])
def test_data_that_leads_nowhere_or_in_circles_is_the_users_error(tmp_path: Path, target: str) -> None:
    test = made(tmp_path, files={"data/plain": "x"})
    (test.directory / "data/link").symlink_to(target)
    with pytest.raises(ConfigError, match="symbolic link"):
        payload(Job.alone(test))


def test_members_of_a_bucket_share_no_name(tmp_path: Path) -> None:
    one, two = made(tmp_path / "1", exclusive=False), made(tmp_path / "2", exclusive=False)
    first = Job.member(one, 0, taken=set())
    second = Job.member(two, 1, taken={first.identifier})
    assert (first.unit, first.data) == ("kola-runext-0.service", "/var/opt/kola/extdata-0")
    assert first.identifier == "kola-runext-alpha"
    assert second.identifier == "kola-runext-alpha-1"
    shared = set(unpacked(first)) & set(unpacked(second))
    assert shared == {f"usr/local/bin/{name}" for name in ("kolet", "kolet-http", "kolet-errexit")}


def test_the_unit_survives_awkward_names(tmp_path: Path) -> None:
    job = Job.alone(made(tmp_path, 'od"d %name'))
    text = job.unit_file()
    assert job.identifier == "kola-runext-od_d__name"
    assert 'Environment="KOLA_TEST_EXE=od\\"d %%name"' in text
    assert 'ExecStart="/usr/local/bin/kola-runext-od_d__name"' in text
    assert "@" not in text


def test_the_unit_is_one_that_systemd_accepts(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    job = Job.alone(made(tmp_path))
    unit = tmp_path / job.unit
    unit.write_text(job.unit_file().replace(job.executable, "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert unit.name not in done.stderr


@pytest.mark.parametrize("mark", ["plain", "two words", "it's", 'say "x"', "$HOME `date` \\n", "ünï", "a\nb"])
def test_a_mark_comes_out_of_the_environment_file_as_it_went_in(mark: str) -> None:
    text = environment_file(mark)
    assert text.startswith('AUTOPKGTEST_REBOOT_MARK="')
    # systemd's double quotes are those of the shell: \ before ", \, $ and ` (systemd.exec(5)).
    assert shlex.split(text)[0].partition("=")[2].replace("\\$", "$").replace("\\`", "`") == mark
