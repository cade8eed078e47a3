"""ostree keeps the system as it was deployed, unless it is told otherwise."""
