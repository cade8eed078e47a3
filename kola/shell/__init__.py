"""Running external tests in a guest: the unit protocol and the reboot protocol."""
