"""A stand-in for rpm-ostree on the kola reference OS: real libostree, librpm and skopeo under its name.

It answers the commands, JSON fields, messages and exit codes that tests of NestOS look at, and refuses by
name what it does not do. It is no part of the rpm-ostree project and shares no line with it.
"""

VERSION = "2025.1-kola"
