"""What Ignition makes of a config at the first boot."""
