"""A run in a Chinese locale: people read Chinese, programs read what they read in every locale."""

from __future__ import annotations

import re

from fakes.checkout import Checkout

SUITE = """
@pytest.mark.kola()
def test_boots(machine):
    pass

@pytest.mark.kola()
def test_breaks(machine):
    raise RuntimeError("as planned")

@pytest.mark.kola(tags=["needs-internet"])
def test_left_out(machine):
    pass
"""
CHINESE = re.compile("[\u4e00-\u9fff]")


def test_people_read_chinese_and_programs_do_not(checkout: Checkout) -> None:
    checkout.suite(SUITE)
    checkout.fake.plan(failed_units=["kola-fails.service"])
    ran = checkout.run(
        "--no-net", "--tapfile", str(checkout.root / "tap"), "--junitxml", str(checkout.root / "xml"),
        env={"LANG": "zh_CN.UTF-8", "LANGUAGE": "", "LC_ALL": "", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert ran.status == 1
    assert "--- FAIL: mine.boots" in ran.stdout
    assert "单元 kola-fails.service 已失败" in ran.stdout
    assert "带有标签 needs-internet，而给出了 --no-net" in ran.stdout
    assert re.search(r"2 个失败, 1 个被过滤，用时", ran.stdout)
    assert ran.stdout.endswith(f"FAIL, output in {ran.output}\n")
    assert "加速器：" in ran.stderr
    for report in ("reports/report.json", "test.tap", "events.jsonl"):
        text = (ran.output / report).read_text() if (ran.output / report).exists() else ""
        assert not CHINESE.search(text), report
    assert "unit kola-fails.service has failed" in (ran.output / "reports/report.json").read_text()
    for file in ("tap", "xml"):
        assert not CHINESE.search((checkout.root / file).read_text())
