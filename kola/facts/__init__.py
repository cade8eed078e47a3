"""The facts of a build: a sorted record of one clean machine, and its differences from another build."""
