"""The existing tests: the catalog of Python tests, external tests and their metadata."""
