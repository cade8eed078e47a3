"""Operating systems as container images: derived, rebased to, upgraded, rolled back."""
