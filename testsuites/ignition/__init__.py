"""Ignition at the first boot."""
