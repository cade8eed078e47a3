"""Python tests listed from their syntax, and the marker that describes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from harness.errors import ConfigError
from kola.cases.catalog import Catalog, Module, find_tests
from kola.cases.marker import default_name, info_from_marker, parse_minutes
from kola.cases.model import Selector, TestInfo


def catalog(tmp_path: Path, **modules: str) -> Catalog:
    for name, text in modules.items():
        path = tmp_path / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return find_tests(tmp_path)


def from_marker(**kwargs: object) -> TestInfo:
    return info_from_marker(
        kwargs, suite="defaults", module="test_sshd", function="test_it", path=Path("test_sshd.py"), line=7
    )


def test_names_come_from_suite_module_and_function(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        defaults__test_sshd="""
            import pytest

            @pytest.mark.kola(tags=["defaults"], description="Password logins are refused")
            def test_password_login_is_refused(machine):
                pass
            """,
    )
    (test,) = found.tests
    assert test.name == "defaults.sshd.password-login-is-refused"
    assert test.description == "Password logins are refused"
    assert test.tags == {"defaults"}
    assert (test.source, test.line) == (tmp_path / "defaults/test_sshd.py", 4)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (("a.b", "test_c_d", "test_e_f"), "a.b.c-d.e-f"),
        (("", "test_c", "test_e"), "c.e"),
        (("rpm_ostree", "test_layering", "test_rollback"), "rpm-ostree.layering.rollback"),
    ],
)
def test_default_names(where: tuple[str, str, str], name: str) -> None:
    assert default_name(*where) == name


def test_the_functions_keywords_go_over_the_modules(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        s__test_m="""
            import pytest

            pytestmark = [pytest.mark.slow, pytest.mark.kola(tags=["a"], timeout="15m", distros=["nestos"])]

            def test_one(machine):
                '''Says what it proves.

                At length.
                '''

            @pytest.mark.kola(name="given.name", tags=["b", "c"])
            def test_two(machine): ...

            def helper(): ...
            """,
    )
    two, one = found.tests
    assert (one.name, sorted(one.tags), one.minutes) == ("s.m.one", ["a"], 15)
    assert one.description == "Says what it proves."
    assert (two.name, sorted(two.tags), two.minutes) == ("given.name", ["b", "c"], 15)
    assert two.distros == Selector(("nestos",))


PARAMETRIZED = """
from pytest import mark
import pytest
from {package}.shared import BOTH

WORDS = mark.parametrize("word", ["/usr", "a b"])

@mark.parametrize("n", range(2))
@mark.kola(name="counted")
def test_one(n): ...

@WORDS
@mark.kola()
def test_words(word): ...

@mark.kola()
@mark.parametrize("flag", [True, None, -1.5])
@BOTH
def test_stacked(flag, when): ...

@mark.kola()
@mark.parametrize(("a", "b"), [("x", [1]), pytest.param("y", 2), pytest.param(1, 2, id="given")])
def test_sets(a, b): ...

@mark.kola()
@mark.parametrize("f", [len, sorted], ids=["l", None or "s"] if False else ["l", "s"])
def test_computed(f): ...

@mark.kola()
@mark.parametrize("f", [len, sorted], ids=["l", "s"])
def test_functions(f): ...
"""
SHARED = 'import pytest\nBOTH = pytest.mark.parametrize("when", ["now", "later"])\n'


def test_each_case_of_a_parametrised_test_has_a_name_of_its_own(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    found = catalog(top, shared=SHARED, s__test_m=PARAMETRIZED.format(package="tree"))
    assert [test.name for test in found.tests if test.family == "counted"] == ["counted.0", "counted.1"]
    assert {test.name.removeprefix("s.m.") for test in found.tests if test.family != "counted"} == {
        "words.usr",
        "words.a-b",
        *(f"stacked.{when}-{flag}" for when in ("now", "later") for flag in ("True", "None", "-1.5")),
        "sets.x-b0",
        "sets.y-2",
        "sets.given",
        "functions.l",
        "functions.s",
    }
    (broken,) = found.broken
    assert (broken.name, broken.error.line) == ("s.m.computed", 26)
    assert "ids of parametrize are no list" in str(broken.error)


def test_pytest_collects_the_cases_under_these_names(tmp_path: Path) -> None:
    top = tmp_path / "tree"
    found = catalog(top, shared=SHARED, s__test_m=PARAMETRIZED.format(package="tree"))
    (top / "__init__.py").touch()
    names = "import pytest\nfrom kola.plugin.items import identify\n" + dedent("""
        @pytest.hookimpl(trylast=True)
        def pytest_collection_modifyitems(items):
            with open("names", "w") as out:
                out.writelines(identify(item).name.partition("m.")[2] + "\\n" for item in items)
        """)
    (tmp_path / "conftest.py").write_text(names)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--collect-only",
        "-p",
        "no:cacheprovider",
        "tree/s/test_m.py",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    collected = (tmp_path / "names").read_text().split("\n")
    listed = {test.name.removeprefix("s.m.") for test in found.tests if test.family != "counted"}
    assert listed <= set(collected)


NEVER_RUN = [
    ("def test_x(): ...\n", 1, "has no @pytest.mark.kola"),
    ("@pytest.mark.kola()\nasync def test_x(): ...\n", 1, "never be awaited"),
    ("class TestX:\n  def test_x(self): ...\n", 2, "a method"),
    ("class X:\n  @pytest.mark.kola()\n  def test_x(self): ...\n", 2, "a method"),
    ("import unittest\nclass Case(unittest.TestCase):\n  def test_x(self): ...\n", 3, "a method"),
    ("if True:\n  def test_x(): ...\n", 2, "has no @pytest.mark.kola"),
    ("@pytest.mark.kolla()\ndef test_x(): ...\n", 1, "did you mean 'kola'"),
    ("@pytest.mark.machin(cpus=2)\n@pytest.mark.kola()\ndef test_x(): ...\n", 1, "did you mean 'machine'"),
    ("@pytest.mark.machine(2048)\n@pytest.mark.kola()\ndef test_x(): ...\n", 1, "keywords only"),
    ("@pytest.mark.kola()\n@pytest.mark.parametrize('n', [])\ndef test_x(n): ...\n", 1, "no case"),
    (
        "@pytest.mark.kola()\n@pytest.mark.parametrize('n', ['/a', 'a'])\ndef test_x(n): ...\n",
        1,
        "two cases of test_x are called s.bad.x.a",
    ),
]


@pytest.mark.parametrize(("text", "line", "says"), NEVER_RUN)
def test_a_test_that_would_never_run_is_broken(tmp_path: Path, text: str, line: int, says: str) -> None:
    (broken,) = catalog(tmp_path, s__test_bad=text).broken
    assert (broken.error.file, broken.error.line) == (tmp_path / "s/test_bad.py", line)
    assert says in str(broken.error)


def test_a_function_defined_twice_is_broken_and_runs_once(tmp_path: Path) -> None:
    one = "@pytest.mark.kola(name='{}')\ndef test_x(): ...\n"
    found = catalog(tmp_path, s__test_m=one.format("a") + one.format("b"))
    assert [test.name for test in found.tests] == ["a"]
    assert "stands twice" in str(found.errors[0])


def test_modules_that_are_no_tests_are_not_read(tmp_path: Path) -> None:
    assert catalog(tmp_path, s__test_m="import pytest\n", s__helper="def test_y(: not Python") == Catalog()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (
            "T = 'x'\n@pytest.mark.kola(\n  tags=[T])\ndef test_x(): ...\n",
            3,
            "'tags' in pytest.mark.kola is not a literal",
        ),
        ("K = {}\n@pytest.mark.kola(**K)\ndef test_x(): ...\n", 2, "not a literal"),
        ("@pytest.mark.kola('name')\ndef test_x(): ...\n", 1, "keywords only"),
        ("@pytest.mark.kola(tag=['a'])\ndef test_x(): ...\n", 1, "did you mean 'tags'"),
        ("@pytest.mark.kola(timeout='soon')\ndef test_x(): ...\n", 1, "expected a duration"),
        ("@pytest.mark.kola\ndef test_x(: ...\n", 2, "not Python"),
    ],
)
def test_a_bad_file_costs_only_its_own_tests(tmp_path: Path, text: str, line: int, says: str) -> None:
    good = "import pytest\n@pytest.mark.kola()\ndef test_g(): ...\n"
    found = catalog(tmp_path, s__test_bad=text, s__test_good=good)
    assert [test.name for test in found.tests] == ["s.good.g"]
    (error,) = found.errors
    assert (error.file, error.line) == (tmp_path / "s/test_bad.py", line)
    assert says in str(error)


def test_a_name_given_twice_is_an_error(tmp_path: Path) -> None:
    twice = "@pytest.mark.kola(name='same')\ndef test_x(): ...\n"
    found = catalog(tmp_path, s__test_a=twice, s__test_b=twice)
    assert len(found.tests) == 1
    assert f"taken by {tmp_path / 's/test_a.py'}:1" in str(found.errors[0])


def test_the_plugin_and_the_catalog_agree(tmp_path: Path) -> None:
    (listed,) = catalog(
        tmp_path,
        defaults__test_sshd="@pytest.mark.kola(tags=['x'], firmware='uefi', guide='7.5')\ndef test_it(): 0\n",
    ).tests
    path = tmp_path / "defaults/test_sshd.py"
    module = Module.at(path, root=tmp_path)
    collected = info_from_marker(
        {"tags": ["x"], "firmware": "uefi", "guide": "7.5"},
        suite=module.suite,
        module=module.name,
        function="test_it",
        path=path,
        line=1,
    )
    assert listed == collected
    assert listed.guide == ("7.5",)


def test_marker_values() -> None:
    test = from_marker(
        required_tag="on-request",
        platforms="!aws azure",
        architectures=["x86_64"],
        exclusive=False,
        conflicts=["a.b"],
        creation_date="2026-03-01",
    )
    assert test.required_tag == "on-request"
    assert test.platforms == Selector(("aws", "azure"), exclude=True)
    assert test.architectures == Selector(("x86_64",))
    assert (test.exclusive, test.conflicts, test.grace_until) == (False, ("a.b",), "2026-03-31")


def test_what_a_test_must_have_to_itself() -> None:
    test = from_marker(exclusive="registry mirror", host_ports=[8080])
    assert (test.exclusive, test.tokens, test.host_ports) == (True, ("registry", "mirror"), (8080,))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"tags": 1},
        {"host_ports": [0]},
        {"host_ports": "http"},
        {"name": "a b"},
        {"name": "a*"},
        {"exclusive": 1},
        {"description": ""},
        {"creation_date": "soon"},
    ],
)
def test_wrong_marker_values_name_file_and_line(kwargs: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        from_marker(**kwargs)
    assert str(caught.value).startswith(f"test_sshd.py:7: kola marker: {next(iter(kwargs))}: ")


@pytest.mark.parametrize(
    ("value", "minutes"), [("15m", 15), ("90s", 1.5), ("1h30m", 90), ("2h", 120), (20, 20), (0.5, 0.5)]
)
def test_durations(value: object, minutes: float) -> None:
    assert parse_minutes(value) == minutes


@pytest.mark.parametrize("value", ["", "15", "m", "0s", 0, -1, True, None, "5m 3"])
def test_no_durations(value: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_minutes(value)
