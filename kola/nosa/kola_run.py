"""`nosa kola-run`: tests of an image or an ISO, with a summary in Chinese as nosa's users know it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError
from harness.util.language import localized
from kola.cases.model import Verdict
from kola.nosa.call import call, separate
from kola.report.layout import REPORT_FILE, REPORTS
from kola.report.read import read_report

USAGE = "usage: nosa kola-run -b DISTRO --qemu IMAGE | --iso ISO [OPTION…] [TEST…]"
PASSED = (Verdict.PASS, Verdict.FLAKY)


def main(words: Sequence[str]) -> int:
    """Run the tests, print the summary, and return the exit status of kola."""
    if list(words[:1]) in (["-h"], ["--help"]):
        print(localized(USAGE))
        return 0
    line, output = command_line(words, os.environ.get("ARTIFACT_DIR") or "tmp")
    began = time.time()
    status = call(line)
    report = output / REPORTS / REPORT_FILE
    if report.is_file() and report.stat().st_mtime >= began - 1:  # not that of an earlier run
        print(summary(report), flush=True)
    return status


def command_line(words: Sequence[str], base: str) -> tuple[list[str], Path]:
    """Return kola's command line and its output directory. Raises ConfigError."""
    typed = separate(words, values=("-b", "--qemu", "--iso", "--output-dir"))
    image, iso = typed.own.get("--qemu"), typed.own.get("--iso")
    if (image is None) == (iso is None):
        raise ConfigError("one of --qemu and --iso is needed", hint=USAGE)
    if "-b" not in typed.own:
        raise ConfigError("-b DISTRO is missing", hint=USAGE)
    output = Path(typed.own.get("--output-dir") or f"{base}/kola").absolute()
    subject = ["run", f"--qemu-image={image}"] if image is not None else ["testiso", f"--qemu-iso={iso}"]
    return [*subject, f"--distro={typed.own['-b']}", f"--output-dir={output}", *typed.rest], output


def summary(report: Path) -> str:
    """Return the lines of the summary. Warnings and skipped tests are in neither list."""
    run = read_report(report)
    failed = [test.name for test in run.tests if test.verdict is Verdict.FAIL]
    passed = [test.name for test in run.tests if test.verdict in PASSED]
    return "\n".join(
        (
            f"失败 {len(failed)} 例：{' '.join(failed)}",
            f"成功 {len(passed)} 例：{' '.join(passed)}",
            f"日志保存至：{run.output_dir}",
        )
    )
