"""Templates through `kola run`: wherever the cache lies; and when there can be none, the run says so."""

from __future__ import annotations

from pathlib import Path

from fakes.checkout import Checkout

SUITE = """
@pytest.mark.kola()
@pytest.mark.parametrize("number", range(3))
def test_any(machine, number):
    pass
"""


def test_a_comma_in_the_caches_path_is_part_of_the_path(checkout: Checkout, tmp_path: Path) -> None:
    checkout.suite(SUITE)
    ran = checkout.run(env={"XDG_CACHE_HOME": str(tmp_path / "a,b")})
    assert [test["boot"] for test in ran.report["tests"]] == [["clone"]] * 3
    assert ran.report["notices"] == []


def test_a_run_without_a_template_says_so_once(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    checkout.fake.plan(freezes=False)
    ran = checkout.run("--parallel", "1")
    assert [test["boot"] for test in ran.report["tests"]] == [["cold"]] * 3
    (notice,) = ran.report["notices"]
    assert (
        notice == "no template, so a cold boot: QEMU refused migrate: State blocked by a device (3 machines)"
    )
    assert f"NOTE {notice}" in " ".join(ran.stdout.split())
