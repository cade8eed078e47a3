"""The facts of a build, compared with those of the build before it."""
