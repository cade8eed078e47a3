"""Scheduling: the resources that tests need, and when they may start."""
