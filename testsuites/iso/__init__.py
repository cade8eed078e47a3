"""The live ISO, network boot, and every way to install."""
