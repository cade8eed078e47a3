"""The tests that run, and the reasons for the others."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from kola.cases.model import Selector, TestInfo
from kola.select import Chosen, Selection, Stage, select


def test(name: str = "t", *tags: str, **fields: Any) -> TestInfo:
    for key in ("platforms", "architectures", "distros", "firmware"):
        if isinstance(fields.get(key), str):
            fields[key] = Selector.parse(fields[key])
    return TestInfo(name, tags=frozenset(tags), **fields)


test.__test__ = False  # type: ignore[attr-defined]  # a maker of tests, not one for pytest

BYSTANDER = test("bystander")


def chosen(*tests: TestInfo, **options: Any) -> Chosen:
    return select([*tests, BYSTANDER], Selection(**options))


def names(result: Chosen) -> list[str]:
    return [one.name for one in result.tests]


def stage_of(one: TestInfo, **options: Any) -> Stage | None:
    """The filter that took the test away, or None where it runs."""
    result = chosen(one, **options)
    found = [filtered for filtered in result.filtered if filtered.name == one.name]
    assert (one.name in names(result)) is (not found)
    return found[0].stage if found else None


def test_nothing_asked_for_runs_everything_in_order() -> None:
    assert names(chosen(test("b"), test("a"))) == ["a", "b", "bystander"]


def test_a_bank_holds_its_own_tests_and_patterns_choose_among_them() -> None:
    tests = [test("t", required_tag="x"), test("u", required_tag="x"), test("v", required_tag="y")]
    result = chosen(*tests, bank="x", patterns=("t", "bystander"))
    assert names(result) == ["t"]
    assert {one.name: one.stage for one in result.filtered} == {
        "u": Stage.PATTERN,
        "v": Stage.BANK,
        "bystander": Stage.BANK,
    }


@pytest.mark.parametrize(
    ("one", "options", "stage"),
    [
        (test("t", "needs-internet"), {"no_net": True}, Stage.NO_NET),
        (test("t", "needs-internet"), {}, None),
        (test("t", "slow"), {"tags": ("!slow",)}, Stage.EXCLUDED_TAG),
        (test("t", required_tag="x"), {}, Stage.REQUIRED_TAG),
        (test("t", required_tag="x"), {"patterns": ("t", "by*")}, Stage.REQUIRED_TAG),
        (test("t", required_tag="x"), {"patterns": ("by*",), "tags": ("x",)}, None),
        (test("t"), {"patterns": ("by*",)}, Stage.PATTERN),
        (test("t"), {"patterns": ("by*", "*")}, None),
        (test("t", "a"), {"patterns": ("by*",), "tags": ("a",)}, None),
        (test("t", "a"), {"patterns": ("by*",), "tags": ("b",)}, Stage.PATTERN),
        (test("t", "platform-independent"), {"platform": "aws"}, Stage.PLATFORM_INDEPENDENT),
        (test("t", "platform-independent"), {"platform": "aws", "run_platform_independent": True}, None),
        (test("t", "platform-independent", platforms="aws"), {"platform": "qemu"}, None),
        (test("t", "platform-independent", platforms="! qemu"), {"platform": "qemu"}, Stage.PLATFORM),
        (test("t", platforms="aws"), {}, Stage.PLATFORM),
        (test("t", platforms="! qemu"), {}, Stage.PLATFORM),
        (test("t", platforms="! azure"), {}, None),
        (test("t", platforms="qemu"), {"platform": "libvirt"}, None),
        (test("t", platforms="libvirt"), {"platform": "libvirt"}, None),
        (test("t", platforms="libvirt"), {"platform": "qemu"}, Stage.PLATFORM),
        (test("t", platforms="aws"), {"platform": "libvirt"}, Stage.PLATFORM),
        (test("t", platforms="! qemu"), {"platform": "libvirt"}, Stage.PLATFORM),
        (test("t", platforms="! libvirt"), {"platform": "libvirt"}, Stage.PLATFORM),
        (test("t", platforms="! libvirt"), {"platform": "qemu"}, None),
        (test("t", "platform-independent"), {"platform": "libvirt"}, None),
        (test("t", architectures="aarch64"), {}, Stage.ARCHITECTURE),
        (test("t", architectures="! s390x"), {}, None),
        (test("t", distros="fcos"), {}, Stage.DISTRO),
        (test("t", distros="fcos"), {"also_distros": ("fcos",)}, None),
        (test("t", distros="! fcos"), {"also_distros": ("fcos",)}, None),
        (test("t", distros="! nestos"), {}, Stage.DISTRO),
        (test("t", needs=("raid", "luks")), {"absent": {"luks": "no cryptsetup"}}, Stage.FEATURE),
        (test("t", needs=("raid",)), {"absent": {"luks": "no cryptsetup"}}, None),
        (test("t", firmware="bios"), {"firmware": "uefi"}, Stage.FIRMWARE),
        (test("t", firmware="bios"), {"firmware": None}, None),
        (test("t", firmware="bios"), {"firmware": "uefi", "platform": "qemu-iso"}, None),
        (test("t"), {"denylist_tests": ("t",)}, Stage.DENYLIST),
    ],
)
def test_each_filter(one: TestInfo, options: dict[str, Any], stage: Stage | None) -> None:
    assert stage_of(one, **options) is stage


def test_the_first_filter_that_refuses_is_the_one_named() -> None:
    everything = test(
        "t",
        "needs-internet",
        "slow",
        required_tag="x",
        platforms="aws",
        architectures="s390x",
        distros="rhcos",
    )
    asked: dict[str, Any] = {
        "no_net": True,
        "tags": ("!slow",),
        "patterns": ("by*",),
        "denylist_tests": ("t",),
    }
    assert stage_of(everything, **asked) is Stage.NO_NET
    asked["no_net"] = False
    assert stage_of(everything, **asked) is Stage.EXCLUDED_TAG
    asked["tags"] = ()
    assert stage_of(everything, **asked) is Stage.REQUIRED_TAG
    asked["tags"] = ("x",)
    assert stage_of(everything, **asked) is Stage.PLATFORM
    assert stage_of(everything, **asked, platform="aws") is Stage.ARCHITECTURE
    assert stage_of(everything, **asked, platform="aws", architecture="s390x") is Stage.DISTRO
    assert (
        stage_of(everything, **asked, platform="aws", architecture="s390x", distro="rhcos") is Stage.DENYLIST
    )


def test_tags_alone_choose_by_tag() -> None:
    result = chosen(test("a", "x"), test("b", "y"), test("c", required_tag="y"), tags=("x", "y"))
    assert names(result) == ["a", "b", "c"]
    assert result.counts() == {"pattern": 1}


def test_a_pattern_without_a_match_is_fatal_and_suggests() -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(test("ext.config.podman.dns"), patterns=("podman*",))
    assert "'podman*' matches no test" in str(caught.value)
    assert "did you mean ext.config.podman.dns?" in str(caught.value)


def test_a_misspelt_name_suggests_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean bystander"):
        chosen(patterns=("bystandr",))


def test_a_misspelt_family_suggests_the_near_one() -> None:
    with pytest.raises(ConfigError, match=r"did you mean defaults\.docker\.\*"):
        chosen(test("defaults.docker.is-off"), test("defaults.boot.done"), patterns=("defaults.dokcer.*",))


def test_a_pattern_may_match_only_tests_that_are_filtered() -> None:
    assert names(chosen(test("t", distros="fcos"), patterns=("t", "by*"))) == ["bystander"]


def test_no_test_left_is_an_error_that_counts() -> None:
    with pytest.raises(ConfigError) as caught:
        select([test("a", distros="fcos"), test("b", platforms="aws")], Selection())
    assert "platform 1, distro 1" in str(caught.value)
    assert "a is for distro fcos, not nestos" in str(caught.value)


def test_everything_denied_is_no_error() -> None:
    result = chosen(test("a"), denylist_tests=("*",))
    assert result.tests == ()
    assert {one.stage for one in result.filtered} == {Stage.DENYLIST}


def test_multiply_numbers_from_zero_and_remembers_the_origin() -> None:
    result = chosen(multiply=2, patterns=("bystander",))
    assert names(result) == ["bystander0", "bystander1"]
    assert result.origins["bystander1"] == "bystander"


def test_grace_lasts_thirty_days() -> None:
    young = test("young", grace_until="2026-03-31")
    assert chosen(young, today=date(2026, 3, 30), multiply=2).warn_on_failure == {"young0", "young1"}
    assert chosen(young, today=date(2026, 3, 31)).warn_on_failure == frozenset()


def test_shards_are_cut_after_multiplying() -> None:
    shares = [chosen(test("a"), multiply=5, sharding=f"hash:{m}/3") for m in (1, 2, 3)]
    kept = sorted(name for share in shares for name in names(share))
    assert kept == sorted(f"{name}{n}" for name in ("a", "bystander") for n in range(5))
    assert all(one.stage is Stage.SHARD for share in shares for one in share.filtered)


def test_time_shards_know_repeats_by_their_origin(tmp_path: Path) -> None:
    options = {"multiply": 2, "sharding": "time:1/2", "durations": {"a": 100.0, "bystander": 1.0}}
    assert names(chosen(test("a"), **options)) == ["a0", "bystander0"]
