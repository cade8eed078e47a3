"""Python tests listed from their syntax, and the marker that describes them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from harness.errors import ConfigError
from kola.model import Selector, TestInfo
from kola.select.catalog import Catalog, Module, find_tests
from kola.select.marker import default_name, info_from_marker, parse_minutes


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


def test_parametrized_functions_are_one_test(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        s__test_m="""
            from pytest import mark

            @mark.parametrize("n", range(3))
            @mark.kola()
            def test_one(n): ...
            """,
    )
    assert [test.name for test in found.tests] == ["s.m.one"]


def test_unmarked_functions_and_modules_are_not_kolas(tmp_path: Path) -> None:
    found = catalog(
        tmp_path, s__test_m="import pytest\ndef test_x(): ...\n", s__helper="def test_y(: not Python"
    )
    assert found == Catalog()


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
