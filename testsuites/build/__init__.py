"""Tests of a build: its directory, its artifacts, and the content that its sources ask for."""
