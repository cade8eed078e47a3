"""From a build artifact to a machine you can talk to. Knows nothing of pytest or kola."""
