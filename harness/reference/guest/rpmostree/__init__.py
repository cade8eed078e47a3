"""A stand-in for rpm-ostree on the kola reference OS: real libostree, librpm and skopeo under its name.

It has the commands, JSON fields, messages and exit codes that tests of NestOS check, and refuses others with
a message. It is not part of the rpm-ostree project and shares no code with it.
"""

VERSION = "2025.1-kola"
