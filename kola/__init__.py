"""The test runner: selects tests, gives them machines, and reports the results."""

__version__ = "0.1.0"
