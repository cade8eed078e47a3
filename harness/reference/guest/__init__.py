"""Files that run inside the reference OS."""
