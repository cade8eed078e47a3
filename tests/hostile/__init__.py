"""Thousands of malformed inputs: none may end in a traceback, a hang, or a pass."""
