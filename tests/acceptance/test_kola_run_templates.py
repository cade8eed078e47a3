"""Templates through `kola run`: wherever the cache lies; and when there can be none, the run says so."""

from __future__ import annotations

import json
from pathlib import Path

from fakes.checkout import Checkout
from fakes.external import WELL, kolet, tree

SUITE = """
@pytest.mark.kola()
@pytest.mark.parametrize("number", range(3))
def test_any(machine, number):
    pass
"""


SHAPES = """
@pytest.mark.kola()
@pytest.mark.machine(boot="cold", memory_mib=900)
def test_cold(machine):
    pass

@pytest.mark.kola()
@pytest.mark.machine(memory_mib=800)
@pytest.mark.parametrize("number", range(2))
def test_large(machine, number):
    pass

@pytest.mark.kola()
@pytest.mark.machine(memory_mib=700)
@pytest.mark.parametrize("number", range(3))
def test_small(machine, number):
    pass
"""


def test_two_templates_are_made_side_by_side_and_the_rest_waits_for_neither(checkout: Checkout) -> None:
    checkout.suite(SHAPES)
    checkout.fake.plan(boots=[{"delay": 1.0}])
    ran = checkout.run("--parallel", "2")
    assert ran.status == 0
    events = [json.loads(line) for line in (ran.output / "events.jsonl").read_text().splitlines()]
    kinds = [event["kind"] for event in events if event["kind"] in ("test-start", "machine-start")]
    assert kinds[:3] == ["test-start", "test-start", "machine-start"], "no clone before both are under way"
    began = [event["test"].split(".")[1] for event in events if event["kind"] == "test-start"]
    assert {name.partition("[")[0] for name in began[:2]} == {"large", "small"}, began
    assert began[2] == "cold", "the longest of the others, by its memory"


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


def test_a_clone_gets_time_and_entropy_by_the_command_that_starts_its_test(checkout: Checkout) -> None:
    tree(checkout, first="")
    checkout.fake.plan(commands=[kolet("first", WELL)])
    ran = checkout.run("-E", str(checkout.root / "proj"), "ext.proj.first")
    [test] = ran.report["tests"]
    assert (test["result"], test["boot"]) == ("PASS", ["clone"])
    events = [json.loads(line) for line in (ran.output / "events.jsonl").read_text().splitlines()]
    first = next(event["data"]["command"] for event in events if event["kind"] == "command")
    assert "date -s @" in first
    assert "run-unit start" in first


PYTHON = """
@pytest.mark.kola()
def test_logs_in(machine):
    with machine.connect() as session:
        session.run("true").check()
"""


def test_a_test_in_python_finds_a_clone_that_has_both_already(checkout: Checkout) -> None:
    checkout.suite(PYTHON)
    ran = checkout.run()
    assert ran.status == 0
    events = [json.loads(line) for line in (ran.output / "events.jsonl").read_text().splitlines()]
    kinds = [event["kind"] for event in events if event["kind"] in ("command", "machine-ready")]
    assert kinds[:2] == ["command", "machine-ready"]
    first = next(event["data"]["command"] for event in events if event["kind"] == "command")
    assert "date -s @" in first
