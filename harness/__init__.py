"""The path from a build artifact to a running machine. Independent of pytest and kola."""
