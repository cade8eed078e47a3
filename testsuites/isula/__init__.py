"""iSulad runs containers, where the build has it."""
