"""A machine as it comes: what holds after one boot, nothing configured."""
