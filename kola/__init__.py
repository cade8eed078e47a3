"""Decides which tests meet which machine, and tells the world what happened."""

__version__ = "0.1.0"
