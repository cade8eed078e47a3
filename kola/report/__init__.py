"""Results of tests and runs, and the reports made from them."""

from kola.report.attachments import Attachment, attachments
from kola.report.clones import compare, sample
from kola.report.comparison import Comparison
from kola.report.console import Console, Palette
from kola.report.events import Event, EventKind, EventLog, read_events
from kola.report.layout import directory_of_test
from kola.report.properties import Properties, write_properties
from kola.report.report_json import write_report
from kola.report.rerun import as_pattern, failed_names, last_run
from kola.report.result import Filtered, RunResult, TestResult
from kola.report.summary import closing_line, summary
from kola.report.tap import write_tap
from kola.report.verdict import ExitCode, exit_code, overall, worst

__all__ = [
    "Attachment",
    "Comparison",
    "Console",
    "Event",
    "EventKind",
    "EventLog",
    "ExitCode",
    "Filtered",
    "Palette",
    "Properties",
    "RunResult",
    "TestResult",
    "as_pattern",
    "attachments",
    "closing_line",
    "compare",
    "directory_of_test",
    "exit_code",
    "failed_names",
    "last_run",
    "overall",
    "read_events",
    "sample",
    "summary",
    "worst",
    "write_properties",
    "write_report",
    "write_tap",
]
