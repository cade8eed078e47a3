"""Serve the current directory over HTTP, for guests and for other hosts. Ctrl-C ends it."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.errors import ConfigError
from harness.util.language import tr
from kola.run.argtypes import path, whole

HELP = "serve a directory over HTTP"
EXAMPLES = ("kola http-server", "kola http-server -P 8080 --directory builds/latest")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-P", "--port", type=whole(0, 65535, "a port"), default=8000, metavar="PORT", help="8000; 0 for any"
    )
    parser.add_argument("--directory", type=path, metavar="DIR", help="the directory (the current one)")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    import functools
    import http.server

    directory: Path = args.directory or Path.cwd()
    if not directory.is_dir():
        raise ConfigError("there is no such directory", file=directory)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    try:
        server = http.server.ThreadingHTTPServer(("", args.port), handler)
    except OSError as error:
        raise ConfigError(
            f"port {args.port} cannot be used: {error.strerror}", hint="-P names another"
        ) from None
    with server:
        said = tr("serving {directory} at port {port}", directory=directory, port=server.server_port)
        print(said, flush=True)
        server.serve_forever()
    return 0
