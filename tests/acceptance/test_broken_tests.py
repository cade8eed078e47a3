"""A mistake of a test's author costs that test, or its file, and is said in one sentence with its place."""

from __future__ import annotations

import os
import re

import pytest
from fakes.checkout import Checkout, Ran

GOOD = """
    @pytest.mark.kola()
    def test_good(machine):
        pass
"""


@pytest.fixture
def checkout(checkout: Checkout) -> Checkout:
    checkout.suite(GOOD)
    return checkout


def why(ran: Ran, name: str) -> str:
    """Kind, cause and reason of the test, which is one sentence on every report of it."""
    (test,) = [test for test in ran.report["tests"] if test["name"] == name]
    assert "Traceback" not in test["output"]
    return f"{test['kind']}: {test['cause']}: {test['reason']}"


WRONG = {
    "unmarked": ("def test_it(machine): pass", "test_it has no @pytest.mark.kola"),
    "keyword": ("@pytest.mark.kola(tag=['a'])\ndef test_it(machine): pass", "did you mean 'tags'"),
    "coroutine": ("@pytest.mark.kola()\nasync def test_it(machine): pass", "would never be awaited"),
    "platform": ("@pytest.mark.kola(platforms=['qemuu'])\ndef test_it(machine): pass", "'qemuu'"),
    "arch": ("@pytest.mark.kola(architectures=['x86'])\ndef test_it(machine): pass", "'x86'"),
    "imports": (
        "import nowhere_to_be_found\n@pytest.mark.kola()\ndef test_it(machine): pass",
        "nowhere_to_be",
    ),
    "divides": ("@pytest.mark.kola()\ndef test_it(machine): pass\n1 / 0", "ZeroDivisionError"),
    "argument": (
        "@pytest.mark.kola(name='argument.it')\n@pytest.mark.parametrize('n', [1])\ndef test_it(): pass",
        "uses no argument 'n'",
    ),
    "fixture": (
        "@pytest.mark.kola()\ndef test_it(machin): pass",
        "no fixture 'machin'; did you mean 'machine'",
    ),
    "cpus": ("@pytest.mark.kola()\n@pytest.mark.machine(cpus='two')\ndef test_it(machine): pass", "cpus"),
    "memory": (
        "@pytest.mark.kola()\n@pytest.mark.machine(memory_mib='2G')\ndef test_it(machine): pass",
        "memory_mib",
    ),
    "disks": ("@pytest.mark.kola()\n@pytest.mark.machine(disks='10G')\ndef test_it(machine): pass", "disks"),
    "health": (
        "@pytest.mark.kola()\n@pytest.mark.machine(opt_out=['no-such-check'])\ndef test_it(machine): pass",
        "no-such-check",
    ),
    "ignition": (
        "@pytest.mark.kola()\n@pytest.mark.machine(ignition={'ignition': {'version': '3.3.0'},"
        " 'storag': {}})\ndef test_it(machine): pass",
        "storag",
    ),
}


def test_every_mistake_is_a_test_of_its_own_and_the_others_run(checkout: Checkout) -> None:
    for module, (text, _) in WRONG.items():
        checkout.suite(text, name=module)
    ran = checkout.run("--parallel", "2")
    assert ran.status == 1
    assert "INTERNALERROR" not in ran.stdout + ran.stderr
    names = {module: f"{module}.it" + (".1" if module == "argument" else "") for module in WRONG}
    assert ran.results == {**dict.fromkeys(names.values(), "FAIL"), "mine.good": "PASS"}
    for module, (_, said) in WRONG.items():
        told = why(ran, names[module])
        assert re.match(rf"config: config: .*test_{module}\.py:\d+: ", told), told
        assert said in told


def test_a_file_that_is_not_python_is_a_test_that_can_be_run_again(checkout: Checkout) -> None:
    checkout.suite("@pytest.mark.kola()\ndef test_it(: pass", name="bad")
    ran = checkout.run("--parallel", "2")
    assert ran.results == {"bad": "FAIL", "mine.good": "PASS"}
    assert re.search(r"^ *again  kola run .* bad$", ran.stdout, re.MULTILINE)
    assert checkout.run("bad").results == {"bad": "FAIL"}
    assert checkout.run("mine.good").results == {"mine.good": "PASS"}
    assert checkout.run().status == 1
    checkout.suite(GOOD, name="bad")
    again = checkout.run(command="rerun", image=False)
    assert again.status in (0, 1, 2)
    assert "Traceback" not in again.stderr


def test_a_name_that_is_taken_costs_the_second_test_only(checkout: Checkout) -> None:
    for module in ("one", "two"):
        checkout.suite("@pytest.mark.kola(name='same')\ndef test_it(machine): pass", name=module)
    ran = checkout.run("same*")
    assert ran.results == {"same": "PASS", "same.duplicate": "FAIL"}
    assert "'same' is taken by" in why(ran, "same.duplicate")


def test_a_module_that_skips_itself_skips_its_tests(checkout: Checkout) -> None:
    checkout.suite(
        "pytest.skip('not on Mondays', allow_module_level=True)\n@pytest.mark.kola()\ndef test_it(): pass",
        name="lazy",
    )
    ran = checkout.run("lazy.*")
    assert (ran.status, ran.results) == (0, {"lazy.it": "SKIP"})
    assert "not on Mondays" in ran.stdout


def test_an_expected_failure_says_its_reason(checkout: Checkout) -> None:
    checkout.suite(
        """
        @pytest.mark.kola()
        @pytest.mark.xfail(reason="bug 4711")
        def test_it():
            assert False
        """,
        name="known",
    )
    ran = checkout.run("known.*")
    assert ran.results == {"known.it": "SKIP"}
    (test,) = ran.report["tests"]
    assert test["reason"] == "fails as expected: bug 4711"


def test_a_python_file_whose_name_is_not_utf_8_is_one_broken_test(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        def test_one(machine):
            pass
    """)
    [good] = checkout.root.rglob("test_*.py")
    (good.parent / os.fsdecode(b"test_\xb2\xe2.py")).write_bytes(good.read_bytes())
    ran = checkout.run()
    assert ran.results == {"mine.one": "PASS", "%B2%E2": "FAIL"}, ran.stdout + ran.stderr
    assert "the file name test_%B2%E2.py is not UTF-8" in ran.stdout
    assert "INTERNALERROR" not in ran.stdout + ran.stderr
