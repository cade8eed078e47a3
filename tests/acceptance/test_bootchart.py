"""`kola bootchart`: a machine boots, its chart becomes a file, and nothing else is left."""

from __future__ import annotations

import pytest
from desk import Desk
from fakes.checkout import Checkout

CHART = '<?xml version="1.0" encoding="utf-8" standalone="no"?>\n<svg width="90px" height="20px">\n</svg>\n'


@pytest.fixture
def desk(checkout: Checkout) -> Desk:
    return Desk(checkout)


def test_the_chart_is_written(desk: Desk) -> None:
    plot = {"match": "systemd-analyze plot", "stdout": CHART}
    desk.checkout.fake.plan(commands=[plot])
    done = desk.kola("bootchart", *desk.image())
    assert done.returncode == 0, done.stderr
    chart = desk.checkout.root / "bootchart.svg"
    assert done.stdout == f"{chart}\n"
    assert chart.read_text() == CHART
    assert "(cold)" in done.stderr, "a clone would show the boot of its template"
    assert desk.left() == []


@pytest.mark.parametrize(
    ("plot", "said"),
    [
        ({"status": 1, "stderr": "Bootup is not yet finished.\n"}, "Bootup is not yet finished."),
        ({"stdout": "nothing\n"}, "systemd-analyze drew no chart"),
    ],
)
def test_without_a_chart_no_file_is_written(desk: Desk, plot: dict[str, object], said: str) -> None:
    desk.checkout.fake.plan(commands=[{"match": "systemd-analyze plot"} | plot])
    done = desk.kola("bootchart", *desk.image(), "-o", "chart.svg")
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (desk.checkout.root / "chart.svg").exists()
    assert desk.left() == []


def test_a_place_that_does_not_exist_is_refused_before_the_boot(desk: Desk) -> None:
    done = desk.kola("bootchart", *desk.image(), "-o", "no/such/chart.svg")
    assert done.returncode == 2
    assert "there is no such directory" in done.stderr
