"""The build of the reference OS: recipe, tree, disk, metadata."""
