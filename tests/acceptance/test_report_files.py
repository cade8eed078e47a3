"""The report files of a run: the same names and verdicts in every file, and no unseen pass."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

from fakes.checkout import Checkout

from kola.cases.model import Verdict
from kola.report.read import read_report

SUITE = """
    @pytest.mark.kola()
    @pytest.mark.parametrize("path", ["/usr", "/var"])
    def test_mount(path):
        assert path == "/usr", "not this one"

    @pytest.mark.kola(creation_date="2999-01-01")
    def test_young():
        assert False, "still growing"

    @pytest.mark.kola(platforms="!qemu")
    def test_elsewhere():
        pass
"""


def test_the_files_for_programs_agree(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    ran = checkout.run("--allure", "--parallel", "2")
    assert ran.results == {"mine.mount.usr": "PASS", "mine.mount.var": "FAIL", "mine.young": "WARN"}
    cases = {case.get("name"): case for case in ET.parse(ran.output / "reports/junit.xml").iter("testcase")}
    assert set(cases) == {*ran.results, "mine.elsewhere"}
    failure = cases["mine.mount.var"].find("failure")
    assert failure is not None
    assert failure.get("message") == "not this one"
    assert (cases["mine.young"].findtext("system-err") or "").startswith("WARN: failure is only a warning")
    results = [json.loads(file.read_text()) for file in (ran.output / "reports/allure").glob("*-result.json")]
    status = {one["name"]: one["status"] for one in results}
    assert status == {
        "mine.mount.usr": "passed",
        "mine.mount.var": "failed",
        "mine.young": "passed",
        "mine.elsewhere": "skipped",
    }
    assert len(results) == len(status)
    tap = (ran.output / "test.tap").read_text()
    assert "not ok - mine.mount.var\n# test: assertion\n# not this one\n" in tap
    run = read_report(ran.output / "reports/report.json")
    assert [test.name for test in run.tests] == sorted(ran.results)
    assert run.count(Verdict.WARN) == 1
    assert all(test.started > 0 for test in run.tests)


def test_no_template_is_a_notice_on_the_terminal_and_in_the_report(checkout: Checkout) -> None:
    checkout.suite("""
        @pytest.mark.kola()
        def test_it(machine):
            pass
    """)
    checkout.fake.sequence(
        {"exit_at_start": {"stderr": "no memory"}}, {"exit_at_start": {"stderr": "no"}}, {}
    )
    ran = checkout.run()
    assert any("no template, so a cold boot" in notice for notice in ran.report["notices"]), ran.report
    assert re.search(r"^NOTE  no template, so a cold boot: .*\(1 machine\)$", ran.stdout, re.MULTILINE)
