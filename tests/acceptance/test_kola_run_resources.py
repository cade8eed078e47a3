"""Host resources: shared between workers and between runs, and refused with a clear reason."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.checkout import Checkout, Ran
from fakes.lab import within

from harness.util.deadline import Deadline


def spans(ran: Ran) -> dict[str, tuple[float, float]]:
    """The start and end of each test."""
    times: dict[str, list[float]] = {}
    for line in (ran.output / "events.jsonl").read_text().splitlines():
        event: dict[str, Any] = json.loads(line)
        if event["kind"] in ("test-start", "test-end"):
            times.setdefault(event["test"], []).append(event["time"])
    return {name: (began, ended) for name, (began, ended) in times.items()}


def together(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def wait_for_start(checkout: Checkout, name: str) -> None:
    events = checkout.output / "events.jsonl"
    Deadline(30).poll(
        lambda: events.exists() and f'"test-start", "test": "{name}"' in events.read_text(),
        step=f"waiting for {name} to start",
    )


def test_what_one_test_must_have_alone_no_other_has_meanwhile(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola(exclusive="registry")
        def test_one():
            time.sleep(1.0)

        @pytest.mark.kola(exclusive=["registry", "mirror"])
        def test_two():
            time.sleep(1.0)

        @pytest.mark.kola(host_ports=[8080])
        def test_beside():
            time.sleep(1.0)
    """)
    ran = checkout.run("--parallel", "2")
    assert set(ran.results.values()) == {"PASS"}, ran.stdout
    span = spans(ran)
    assert not together(span["mine.one"], span["mine.two"])
    assert together(span["mine.beside"], span["mine.one"]) or together(span["mine.beside"], span["mine.two"])


def test_memory_is_there_before_a_test_starts(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        @pytest.mark.machine(memory_mib=2000, boot="cold")
        def test_big(machine):
            time.sleep(0.5)

        @pytest.mark.kola()
        @pytest.mark.machine(memory_mib=1000, boot="cold", count=2)
        def test_two(machines):
            time.sleep(0.5)

        @pytest.mark.kola()
        @pytest.mark.machine(memory_mib=256, boot="cold")
        def test_small(machine):
            time.sleep(0.5)
    """)
    ran = checkout.run("--parallel", "2", env={"KOLA_MEMORY": "3G"})
    assert set(ran.results.values()) == {"PASS"}, ran.stdout
    span = spans(ran)
    assert not together(span["mine.big"], span["mine.two"])
    assert together(span["mine.big"], span["mine.small"])


def test_what_the_host_will_never_have_is_said_at_once(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        @pytest.mark.machine(memory_mib=100_000_000)
        def test_absurd(machine):
            pass
    """)
    with within(40):
        ran = checkout.run()
    (test,) = ran.report["tests"]
    assert (test["result"], test["kind"], test["cause"]) == ("FAIL", "infrastructure", "no-room")
    assert "the test needs 100000300 MiB of memory, this host has " in test["reason"]
    assert (test["attempts"], checkout.fake.launches) == (1, [])


def test_a_machine_more_than_announced_that_does_not_fit_says_how_to_announce_it(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        @pytest.mark.machine(boot="cold")
        def test_more(new_machine):
            new_machine()
            new_machine()
    """)
    with within(40):
        ran = checkout.run(env={"KOLA_MEMORY": "2G"})
    (test,) = ran.report["tests"]
    assert (test["result"], test["cause"]) == ("FAIL", "no-room")
    assert "@pytest.mark.machine(count=" in test["reason"]


def test_a_limit_that_is_none_is_wrong_input(checkout: Checkout) -> None:
    checkout.suite("@pytest.mark.kola()\ndef test_any():\n    pass\n")
    argv, env = checkout.argv(), checkout.environment(KOLA_MEMORY="much")
    refused = subprocess.run(
        argv, cwd=checkout.root, env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert refused.returncode == 2
    assert "KOLA_MEMORY: not a size: 'much'" in refused.stderr
    assert "Traceback" not in refused.stderr


EXTERNAL = "#!/bin/sh\n## kola:\n##   {}\ntrue\n"


def test_two_runs_do_not_use_a_port_at_once_and_a_killed_one_frees_it(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.suite("""
        @pytest.mark.kola(host_ports=[8080])
        def test_holds():
            time.sleep(600)
    """)
    tree = tmp_path / "proj/tests/kola"
    tree.mkdir(parents=True)
    (tree / "wants").write_text(EXTERNAL.format("requiredHostPorts: [8080]"))
    (tree / "wants").chmod(0o755)
    well = "end ActiveState=active Result=success ExecMainCode=1 ExecMainStatus=0\n"
    checkout.fake.plan(commands=[{"match": "run-unit", "stdout": well}])
    first = checkout.start("mine.holds")
    wait_for_start(checkout, "mine.holds")
    other = Checkout(checkout.fake, tmp_path / "other")
    second = other.start("-E", str(tmp_path / "proj"), "--boot", "cold", "ext.proj.wants")
    Deadline(30).poll(lambda: (other.output / "events.jsonl").exists(), step="waiting for the second run")
    time.sleep(4)
    assert '"test-start"' not in (other.output / "events.jsonl").read_text()
    first.kill()
    stdout, _ = second.communicate(timeout=30)
    first.communicate()
    assert second.returncode == 0, stdout


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_plain_pytest_shares_out_as_well(checkout: Checkout, workers: list[str]) -> None:
    checkout.suite("""
        @pytest.mark.kola(exclusive="registry")
        def test_one():
            time.sleep(0.2)

        @pytest.mark.kola(exclusive="registry")
        @pytest.mark.machine(memory_mib=100_000_000)
        def test_two(machine):
            time.sleep(0.2)
    """)
    options = f"--qemu-image {checkout.fake.image} --output-dir {checkout.output} --workdir none"
    alone = ["-p", "kola.plugin", "-c", "/dev/null", "--rootdir", ".", "--basetemp", "base"]
    done = checkout.pytest(*alone, "testsuites", "--kola", options, *workers)
    assert "1 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "this host has" in done.stdout
