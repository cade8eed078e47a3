"""Files on a daemon's host. A stand-in for libvirt's storage: it is not needed here."""

from __future__ import annotations

import hashlib
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from storage_standin import File, LibvirtError, Pool

from harness.errors import ConfigError, InfrastructureError
from harness.platform.libvirt import volumes
from harness.platform.libvirt.owners import this_process
from harness.platform.libvirt.volumes import Store, directory_for


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("libvirt", "libvirt_qemu"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(libvirtError=LibvirtError))
    monkeypatch.setattr(volumes, "_LOOK_AGAIN", 0.01)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.qcow2"
    path.write_bytes(bytes(range(256)) * 20)
    return path


def test_the_pool_is_made_once_and_its_files_are_those_of_qemus_user(image: Path) -> None:
    pool: Any = Pool()
    Store(pool, "/srv/kola", (64055, 64055)).send(image, "name")
    Store(pool, "/elsewhere", None)
    assert "<path>/srv/kola</path>" in pool.made
    assert "<owner>64055</owner>" in pool.files["name"].xml
    assert '<capacity unit="bytes">5120</capacity>' in pool.files["name"].xml
    assert pool.files["name"].data == image.read_bytes()


def test_an_image_is_copied_once_for_its_content_whatever_its_name(image: Path, tmp_path: Path) -> None:
    pool: Any = Pool()
    store, told = Store(pool, "/srv", None), list[tuple[int, int]]()
    first = store.image(image, lambda sent, size: told.append((sent, size)))
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    assert (first.name, told[-1]) == (f"{digest}.img", (5120, 5120))
    other = tmp_path / "other"
    other.write_bytes(image.read_bytes())
    pool.on_send = lambda: pytest.fail("it is there already")
    assert store.image(other) == first
    other.write_bytes(b"another content")
    pool.on_send = lambda: None
    assert store.image(other) != first


def test_who_comes_second_waits_for_the_copy_of_the_first(image: Path) -> None:
    pool: Any = Pool()
    sending, go_on = threading.Event(), threading.Event()

    def send() -> None:
        sending.set()
        go_on.wait(10)

    pool.on_send = send
    paths = list[str]()
    first = threading.Thread(target=lambda: paths.append(Store(pool, "/srv", None).image(image).path))
    first.start()
    assert sending.wait(5)
    second = threading.Thread(target=lambda: paths.append(Store(pool, "/srv", None).image(image).path))
    second.start()
    go_on.set()
    for thread in (first, second):
        thread.join(10)
    assert len(paths) == 2 and len(set(paths)) == 1
    assert pool.files[Path(paths[0]).name].data == image.read_bytes()


def test_what_a_killed_run_has_begun_is_begun_anew(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "_STALLED_SECONDS", 0.05)
    pool: Any = Pool(made="yes")
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    pool.files[f"{digest}.img"] = File(pool, f"{digest}.img", "", b"half")
    assert pool.files[Store(pool, "/srv", None).image(image).name].data == image.read_bytes()


def test_an_image_that_somebody_has_deleted_there_is_copied_anew(image: Path) -> None:
    """Its seal may have stayed: it says nothing about the next copy."""
    pool: Any = Pool(made="yes")
    name = Store(pool, "/srv", None).image(image).name
    del pool.files[name]
    sealed: list[bool] = []
    pool.on_send = lambda: sealed.append(name.replace(".img", ".ok") in pool.files)
    assert pool.files[Store(pool, "/srv", None).image(image).name].data == image.read_bytes()
    assert sealed and not any(sealed)


def test_what_could_not_be_removed_is_removed_by_the_next_connection(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machines whose files these are have ended with their connection."""
    pool: Any = Pool(made="yes")
    first, token = Store(pool, "/srv", None), this_process().token
    for name in (f"{token}0-disk", f"{token}1-disk", "template-1-disk"):
        first.send(image, name)
    first.remove([f"{token}0-disk"])
    pool.files[f"{token}2-disk"] = File(pool, f"{token}2-disk", "")  # another connection's

    def unplugged(_: File, __: int) -> None:
        raise LibvirtError(38)

    with monkeypatch.context() as patch:
        patch.setattr(File, "delete", unplugged)
        first.remove([f"{token}1-disk"])
        second = Store(pool, "/srv", None)
        second.finish(first, token)
        assert f"{token}1-disk" in pool.files
    Store(pool, "/srv", None).finish(second, token)
    assert sorted(pool.files) == sorted([f"{token}2-disk", "template-1-disk"])


def test_a_copy_that_fails_leaves_nothing(image: Path) -> None:
    pool: Any = Pool()

    def fail() -> None:
        raise LibvirtError(38)

    pool.on_send = fail
    store = Store(pool, "/srv", None)
    for copy in (lambda: store.image(image), lambda: store.send(image, "name")):
        with pytest.raises(InfrastructureError):
            copy()
    assert pool.files == {}


def test_files_of_dead_processes_are_removed_and_no_others() -> None:
    pool: Any = Pool(made="yes")
    us = this_process()
    dead = us.token.replace(f"-{us.started}-", f"-{us.started + 1}-")
    for name in (f"{us.token}disk", f"{dead}disk", "libvirt-0123abcd-1-1-disk", "something.img"):
        pool.files[name] = File(pool, name, "")
    Store(pool, "/srv", None).reap()
    assert f"{dead}disk" not in pool.files
    assert len(pool.files) == 3


def test_a_hole_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    pool: Any = Pool()
    pool.on_send = lambda: pytest.fail("it has no data")
    Store(pool, "/srv", None).send(path, "disk1")
    assert f'<capacity unit="bytes">{1 << 30}</capacity>' in pool.files["disk1"].xml


def test_a_session_on_another_host_needs_a_directory() -> None:
    assert directory_for(False, "") == volumes.DIRECTORY
    assert directory_for(True, "/srv/kola") == "/srv/kola"
    with pytest.raises(ConfigError, match="no directory") as error:
        directory_for(True, "")
    assert "--hosts" in str(error.value.hint)
