"""What a build left: its directory, its artifacts, and what its sources say must be in the image."""
