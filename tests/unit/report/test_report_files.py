"""The files of the output tree, as readers of the Go kola's expect them."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest
from report_samples import EVERY, FAILED, FILTERED, FLAKY, NESTED, PASSED, SKIPPED, WARNED, run_of

from harness.errors import InfrastructureError
from kola.cases.model import Verdict
from kola.report import Properties, attachments, write_properties, write_report, write_tap
from kola.report.tap import tap

KOLA_VERDICTS = {"PASS", "FAIL", "WARN", "SKIP"}


def test_report_json_is_what_a_kola_reader_expects(tmp_path: Path) -> None:
    write_report(run_of(*EVERY), tmp_path / "reports/report.json")
    report = json.loads((tmp_path / "reports/report.json").read_text())
    assert (report["result"], report["platform"], report["version"]) == (
        "FAIL",
        "qemu",
        "24.03-LTS.20240903.0",
    )
    by_name = {test["name"]: test for test in report["tests"]}
    assert {test["result"] for test in report["tests"]} <= KOLA_VERDICTS
    assert by_name["basic"]["duration"] == 41_239_000_000
    assert by_name["basic"]["subtests"] is None
    assert by_name["ignition.once"]["output"] == FAILED.output
    bucket = "non-exclusive-test-bucket-12"
    assert by_name[bucket]["subtests"] == ["ext.config.a", "ext.config.b"]
    assert by_name[f"{bucket}/ext.config.b"]["result"] == "FAIL"


def test_report_json_adds_what_kola_does_not_know(tmp_path: Path) -> None:
    write_report(run_of(FAILED, FLAKY, filtered=FILTERED, notices=("no KVM",)), tmp_path / "r.json")
    report = json.loads((tmp_path / "r.json").read_text())
    failed, flaky = report["tests"]
    assert (failed["kind"], failed["cause"], failed["machines"], failed["boot"]) == (
        "guest",
        "kernel-panic",
        ["ignition.once/0b1c"],
        ["cold"],
    )
    assert (flaky["result"], flaky["flaky"], flaky["attempts"]) == ("WARN", True, 2)
    assert report["filtered"][0] == {
        "name": "fcos.internet",
        "stage": "denylist",
        "reason": "https://tracker/1",
    }
    assert report["notices"] == ["no KVM"]


def test_a_guest_that_sends_no_text_does_not_break_the_report(tmp_path: Path) -> None:
    output = b"caf\xe9 \xff\x00".decode("utf-8", "surrogateescape") + "中文"
    write_report(run_of(replace(FAILED, output=output)), tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_bytes())["tests"][0]["output"] == output
    assert "中文" in (tmp_path / "r.json").read_text()


def test_a_report_that_cannot_be_written_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report.json"
    write_report(run_of(PASSED), report)
    before = report.read_text()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as handle:
            handle.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InfrastructureError, match="cannot write the report"):
        write_report(run_of(FAILED), report)
    assert report.read_text() == before
    assert list(tmp_path.iterdir()) == [report]


def test_a_file_where_the_report_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("")
    with pytest.raises(InfrastructureError, match=r"cannot write the report .*reports/report\.json"):
        write_report(run_of(PASSED), tmp_path / "reports/report.json")


def test_tap_counts_the_top_level_and_lets_warnings_pass() -> None:
    assert tap(run_of(PASSED, FAILED, WARNED, FLAKY, SKIPPED, NESTED)).splitlines() == [
        "1..6",
        "ok - basic",
        "not ok - ignition.once",
        "# guest: kernel-panic",
        "# [ 3.1] Kernel panic - not syncing: no root",
        "ok - podman.workflow",
        "# WARN denylisted: #12",
        "ok - sometimes",
        "# FLAKY passed at attempt 2",
        "ok - tpm # SKIP no swtpm on this host",
        "not ok - non-exclusive-test-bucket-12",
        "# test failure",
        "# in ext.config.b",
    ]


def test_a_name_cannot_forge_a_line_or_a_directive(tmp_path: Path) -> None:
    name = "a # SKIP\nok - b\\"
    write_tap(run_of(replace(FAILED, name=name, kind=None, cause="", output="")), tmp_path / "test.tap")
    assert (tmp_path / "test.tap").read_text() == "1..1\nnot ok - a \\# SKIP ok - b\\\\\n"


def test_tap_says_that_a_run_was_cut_short() -> None:
    assert tap(run_of(PASSED, interrupted="by Ctrl-C")).endswith("\nBail out! by Ctrl-C\n")


def test_properties_json_has_the_keys_of_kola(tmp_path: Path) -> None:
    properties = Properties(
        cmdline=["kola", "run"], platform="qemu", distro="nestos", qemu_image="/a.qcow2", qemu_swtpm=True
    )
    write_properties(properties, tmp_path / "properties.json")
    written = json.loads((tmp_path / "properties.json").read_text())
    assert written["cmdline"] == ["kola", "run"]
    assert written["qemu"] == {"image": "/a.qcow2", "imageSize": "", "swtpm": True}
    assert {"platform", "distro", "board", "oscontainer"} <= written.keys()


def test_the_files_of_a_machine_are_attached_the_telling_ones_first(tmp_path: Path) -> None:
    for name in ("qemu-command.txt", "domain.xml", "console.txt", "basic.txt", "ignition.json", "key"):
        (tmp_path / name).write_text("x")
    (tmp_path / "journal.txt").touch()
    found = [(a.path.name, a.title, a.media_type) for a in attachments(tmp_path)]
    assert found == [
        ("console.txt", "Serial console", "text/plain"),
        ("ignition.json", "Ignition config", "application/json"),
        ("qemu-command.txt", "QEMU command line", "text/plain"),
        ("domain.xml", "libvirt domain", "application/xml"),
        ("basic.txt", "Output of basic", "text/plain"),
    ]
    assert attachments(tmp_path / "none") == ()


def test_every_verdict_has_a_place_in_every_report() -> None:
    for verdict in Verdict:
        run = run_of(replace(PASSED, verdict=verdict))
        assert tap(run).startswith("1..1\n")
