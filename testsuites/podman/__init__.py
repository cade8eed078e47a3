"""Podman runs containers."""
