"""Finding builds, and what people are told when a build is not what they think."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from artifact_files import ARCH, build_root, image, iso, qcow2, write_meta

from harness.artifact import NESTOS, REFERENCE, BuildRoot, distro_named, distro_of_build
from harness.errors import ConfigError
from harness.features import FEATURES

NEW, OLD = "24.03-LTS.20240903.0", "24.03-LTS.20240801.0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build_root(tmp_path, {NEW: (ARCH,), OLD: (ARCH, "aarch64")})


def test_latest_is_the_newest_build_of_the_architecture(root: Path) -> None:
    assert BuildRoot(root).find(arch=ARCH).id == NEW
    assert BuildRoot(root).find(arch="aarch64").id == OLD


def test_latest_follows_the_symlink_when_it_points_at_an_older_build(root: Path) -> None:
    (root / "builds/latest").symlink_to(OLD)
    assert BuildRoot(root).find(arch=ARCH).id == OLD


def test_minus_one_is_the_build_before_the_newest(root: Path) -> None:
    assert BuildRoot(root).find("-1", ARCH).id == OLD


def test_counting_back_too_far_names_the_builds(root: Path) -> None:
    with pytest.raises(ConfigError, match="there is no build -2: 1 build of") as caught:
        BuildRoot(root).find("-2", ARCH)
    assert OLD in str(caught.value)


@pytest.mark.parametrize("build", ["-0", "-x", "-" + "9" * 5000])
def test_a_number_that_counts_nothing_is_refused_in_few_words(root: Path, build: str) -> None:
    with pytest.raises(ConfigError, match="no build number") as caught:
        BuildRoot(root).find(build, ARCH)
    assert len(str(caught.value)) < 200


def test_only_builds_of_the_architecture_count(tmp_path: Path) -> None:
    entries = {"99": ("aarch64",), NEW: (ARCH,), "50": ("s390x",), OLD: (ARCH,)}
    builds = BuildRoot(build_root(tmp_path, entries))
    assert builds.find("-1", ARCH).id == OLD
    assert builds.before(builds.find("latest", ARCH)).id == OLD


def test_counting_starts_at_the_build_that_latest_means(tmp_path: Path) -> None:
    root = build_root(tmp_path, {"3": (ARCH,), "2": (ARCH,), "1": (ARCH,)})
    (root / "builds/latest").symlink_to("2")
    assert BuildRoot(root).find("-1", ARCH).id == "1"


def test_the_parent_is_the_next_older_build_and_the_oldest_has_none(root: Path) -> None:
    builds = BuildRoot(root)
    newest = builds.find("latest", ARCH)
    parent = builds.before(newest)
    assert parent.id == builds.find("-1", ARCH).id
    with pytest.raises(ConfigError, match=f"0 builds of {ARCH} before {parent.id}"):
        builds.before(parent)


def test_an_unknown_build_names_the_ones_there_are(root: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        BuildRoot(root).find("1.2.3", ARCH)
    assert "'1.2.3'" in str(caught.value)
    assert NEW in str(caught.value)


def test_a_missing_architecture_names_the_ones_there_are(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"not made for aarch64[\s\S]*its architectures: x86_64"):
        BuildRoot(root).find(NEW, "aarch64")


def test_a_directory_without_builds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a build directory"):
        BuildRoot(tmp_path).find(arch=ARCH)


def test_a_root_without_any_build_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no builds yet"):
        BuildRoot(build_root(tmp_path, {})).find(arch=ARCH)


def test_a_new_schema_of_builds_json_is_refused(root: Path) -> None:
    file = root / "builds/builds.json"
    file.write_text(file.read_text().replace("1.0.0", "2.0.0"))
    with pytest.raises(ConfigError, match=r"builds\.json: schema-version 2\.0\.0"):
        BuildRoot(root).find(arch=ARCH)


def test_broken_meta_json_names_file_and_line(root: Path) -> None:
    meta = root / "builds" / NEW / ARCH / "meta.json"
    meta.write_text('{\n  "buildid": "x",\n  "name" "nestos"\n}')
    with pytest.raises(ConfigError) as caught:
        BuildRoot(root).find(arch=ARCH)
    assert str(caught.value).startswith(f"{meta}:3: not JSON")


def test_meta_json_without_a_required_key_names_it(root: Path) -> None:
    meta = root / "builds" / NEW / ARCH / "meta.json"
    meta.write_text('{"name": "nestos", "images": {"qemu": {"path": 7}}}')
    with pytest.raises(ConfigError, match=r"buildid is missing; images\.qemu\.path"):
        BuildRoot(root).find(arch=ARCH)


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", ""])
def test_an_image_outside_the_build_is_refused(root: Path, path: str) -> None:
    write_meta(root / "builds" / NEW / ARCH, NEW, {"qemu": {"path": path}})
    with pytest.raises(ConfigError, match=r"images\.qemu\.path"):
        BuildRoot(root).find(arch=ARCH)


def test_a_sum_that_is_no_sum_is_refused(root: Path) -> None:
    """It would become a directory name in the cache."""
    entry = {"path": "a.qcow2.gz", "uncompressed-sha256": "../../x"}
    write_meta(root / "builds" / NEW / ARCH, NEW, {"qemu": entry})
    with pytest.raises(ConfigError, match="uncompressed-sha256"):
        BuildRoot(root).find(arch=ARCH)


def test_a_missing_artifact_names_the_ones_there_are(root: Path) -> None:
    build = BuildRoot(root).find(arch=ARCH)
    with pytest.raises(ConfigError, match=r"no live-iso artifact[\s\S]*it has: qemu"):
        build.artifact("live-iso")


def test_an_artifact_gone_from_disk_names_its_compressed_neighbour(root: Path) -> None:
    build = BuildRoot(root).find(arch=ARCH)
    artifact = build.artifact("qemu")
    packed = artifact.path.rename(artifact.path.with_name(artifact.path.name + ".xz"))
    with pytest.raises(ConfigError, match="does not exist") as caught:
        artifact.ready()
    assert caught.value.file == build.meta_file
    assert str(packed) in str(caught.value)


def test_an_artifact_cut_short_is_noticed_by_its_size(root: Path) -> None:
    artifact = BuildRoot(root).find(arch=ARCH).artifact("qemu")
    artifact.path.write_bytes(qcow2(2048))
    with pytest.raises(ConfigError, match=r"2048 bytes, its meta\.json says 4096"):
        artifact.ready()


def test_an_uncompressed_artifact_is_used_in_place(root: Path) -> None:
    artifact = BuildRoot(root).find(arch=ARCH).artifact("qemu")
    assert artifact.ready() == artifact.path


def test_an_iso_that_is_none_is_refused(root: Path) -> None:
    directory = root / "builds" / NEW / ARCH
    good = image(directory, "good.iso", iso())
    bad = image(directory, "bad.iso", b"<html>404</html>")
    write_meta(directory, NEW, {"live-iso": good, "metal": bad | {"path": "bad.iso"}})
    assert BuildRoot(root).find(arch=ARCH).artifact("live-iso").ready().name == "good.iso"
    write_meta(directory, NEW, {"live-iso": bad})
    with pytest.raises(ConfigError, match=r"not an ISO[\s\S]*HTML"):
        BuildRoot(root).find(arch=ARCH).artifact("live-iso").ready()


def test_the_stream_comes_from_the_commit_metadata(root: Path) -> None:
    directory = root / "builds" / NEW / ARCH
    assert BuildRoot(root).find(arch=ARCH).stream is None
    (directory / "commitmeta.json").write_text(json.dumps({"nestos.stream": "stable"}))
    assert BuildRoot(root).find(arch=ARCH).stream == "stable"


@pytest.mark.parametrize("name", ["nestos", "NestOS-For-Container"])
def test_both_names_of_nestos_builds_are_known(name: str) -> None:
    assert distro_of_build(name) is NESTOS
    assert distro_of_build(name, "stable") is NESTOS


def test_the_reference_os_is_nestos_with_some_things_absent() -> None:
    reference = distro_of_build("nestos", "reference")
    assert reference is REFERENCE
    assert reference.family == "nestos"
    assert set(NESTOS.absent) == {"multipath-root"}
    assert "selinux" in reference.absent
    assert set(reference.absent) <= FEATURES


def test_an_unknown_distro_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'rhcos'[\s\S]*nestos, fcos"):
        distro_named("rhcos")


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ({"ID": "nestos", "VARIANT_ID": "container", "NAME": "NestOS"}, True),
        ({"ID": "openeuler", "VARIANT_ID": "nestos"}, True),
        ({"ID": "openeuler", "VARIANT_ID": "server"}, False),
        ({"ID": "nestos"}, False),
    ],
)
def test_both_identities_of_nestos_are_accepted_and_no_other(fields: dict[str, str], accepted: bool) -> None:
    assert NESTOS.accepts(fields) is accepted
