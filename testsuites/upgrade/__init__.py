"""From an older build to the one under test, and back: `kola run-upgrade`."""
