"""The command line: options, refusals, and exit statuses (0, 1, and 77 for "nothing to do")."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from . import VERSION
from .errors import Failure, Unchanged

_VERSION_TEXT = f"""rpm-ostree:
 Version: '{VERSION}'
 Features:
  - container
 Note: this is the stand-in of the kola reference OS (libostree, librpm and skopeo
  behind rpm-ostree's command line), not the rpm-ostree project's program."""

_REFUSED = {
    "apply-live": "changes take effect at the next boot",
    "compose": "images are made by `kola reference build`",
    "db": "use `rpm` and `ostree show`",
    "ex": "nothing experimental is here",
    "finalize-deployment": "deployments are finalized at shutdown",
    "initramfs": "the initramfs is that of the image",
    "initramfs-etc": "the initramfs is that of the image",
    "override": "packages of the base stay as they are",
    "refresh-md": "repository metadata is fetched when it is needed",
    "reset": "use `uninstall --all`",
    "search": "repository metadata is fetched only to install",
    "usroverlay": "use `ostree admin unlock`",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if message.startswith("argument COMMAND: invalid choice: "):
            self.print_usage(sys.stderr)
            raise Failure(f"Unknown command {message.split()[4]}")
        raise Failure(message)


def _add_transaction(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reboot", "-r", action="store_true")
    parser.add_argument("--unchanged-exit-77", action="store_true")
    # The stand-in does what each of these requests in any case.
    parser.add_argument("--os", "--stateroot", default=None)
    parser.add_argument("--lock-finalization", action="store_true")
    parser.add_argument("--bypass-driver", action="store_true")
    parser.add_argument("--cache-only", "-C", action="store_true")
    parser.add_argument("--download-only", action="store_true")


def _add_install(parser: argparse.ArgumentParser, *, both: bool = True) -> None:
    parser.add_argument("--uninstall", action="append", default=[])
    if both:
        parser.add_argument("--install", action="append", default=[])


def _add_status(status: argparse.ArgumentParser) -> None:
    status.add_argument("--verbose", "-v", action="store_true")
    status.add_argument("--advisories", "-a", action="store_true")
    status.add_argument("--json", action="store_true")
    status.add_argument("--booted", "-b", action="store_true")
    status.add_argument("--pending-exit-77", action="store_true")


def _add_packages(one: argparse.ArgumentParser) -> None:
    _add_transaction(one)
    one.add_argument("--dry-run", "-n", action="store_true")
    one.add_argument("--assumeyes", "-y", action="store_true")
    one.add_argument("--idempotent", action="store_true")
    one.add_argument("packages", nargs="*", metavar="PACKAGE")


def _add_install_command(install: argparse.ArgumentParser) -> None:
    _add_packages(install)
    _add_install(install, both=False)
    install.add_argument("--allow-inactive", action="store_true")
    install.add_argument("--apply-live", "-A", action="store_true")
    install.add_argument("--force-replacefiles", action="store_true")


def _add_uninstall(uninstall: argparse.ArgumentParser) -> None:
    _add_packages(uninstall)
    uninstall.add_argument("--install", action="append", default=[])
    uninstall.add_argument("--all", action="store_true")


def _add_upgrade(upgrade: argparse.ArgumentParser) -> None:
    _add_transaction(upgrade)
    _add_install(upgrade)
    upgrade.add_argument("--check", action="store_true")
    upgrade.add_argument("--preview", action="store_true")
    upgrade.add_argument("--allow-downgrade", action="store_true")


def _add_rebase(rebase: argparse.ArgumentParser) -> None:
    _add_transaction(rebase)
    rebase.add_argument("--branch", "-b")
    rebase.add_argument("--remote", "-m")
    rebase.add_argument("--experimental", action="store_true")
    rebase.add_argument("--disallow-downgrade", action="store_true")
    rebase.add_argument("--skip-purge", action="store_true")
    rebase.add_argument("refspec", nargs="?", metavar="REFSPEC")
    rebase.add_argument("revision", nargs="?", metavar="REVISION")


def _add_deploy(deploy: argparse.ArgumentParser) -> None:
    _add_transaction(deploy)
    _add_install(deploy)
    deploy.add_argument("--skip-branch-check", action="store_true")
    deploy.add_argument("--disallow-downgrade", action="store_true")
    deploy.add_argument("revision", metavar="REVISION")


def _add_rollback(rollback: argparse.ArgumentParser) -> None:
    rollback.add_argument("--reboot", "-r", action="store_true")


def _add_cleanup(cleanup: argparse.ArgumentParser) -> None:
    cleanup.add_argument("--os", "--stateroot", default=None)
    for short, name in (("b", "base"), ("p", "pending"), ("r", "rollback"), ("m", "repomd")):
        cleanup.add_argument(f"-{short}", f"--{name}", action="store_true")


def _add_kargs(kargs: argparse.ArgumentParser) -> None:
    _add_transaction(kargs)
    for name in ("append", "replace", "delete", "append-if-missing", "delete-if-present"):
        kargs.add_argument(f"--{name}", action="append", default=[], metavar="KEY=VALUE")
    kargs.add_argument("--deploy-index")


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    pass


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "status": ("get the version of the booted system", _add_status),
    "install": ("overlay additional packages", _add_install_command),
    "uninstall": ("remove overlayed packages", _add_uninstall),
    "upgrade": ("perform a system upgrade", _add_upgrade),
    "rebase": ("switch to a different tree", _add_rebase),
    "deploy": ("deploy a specific commit", _add_deploy),
    "rollback": ("revert to the previously booted tree", _add_rollback),
    "cleanup": ("clear cached and pending data", _add_cleanup),
    "kargs": ("query or modify kernel arguments", _add_kargs),
    "reload": ("accepted: configuration is read by every command anew", _add_nothing),
}
_ALIASES = {"remove": "uninstall", "update": "upgrade"}


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return a parser of every supported command and option, or of those that `arguments` name.

    Making all others takes longer under emulation than most commands.
    """
    top = _Parser(prog="rpm-ostree", description=_VERSION_TEXT.partition("Note: ")[2])
    top.add_argument("--version", action="store_true", help="print version information and exit")
    top.add_argument("--quiet", "-q", action="store_true")
    top.add_argument("--sysroot", default="/", help=argparse.SUPPRESS)
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    known = _COMMANDS.keys() | _REFUSED.keys()
    named = {_ALIASES.get(word, word) for word in arguments} & known or known
    for name in named - _REFUSED.keys():
        explained, add_options = _COMMANDS[name]
        aliases = [alias for alias, meant in _ALIASES.items() if meant == name]
        add_options(commands.add_parser(name, aliases=aliases, help=explained))
    for name in named & _REFUSED.keys():
        commands.add_parser(name, add_help=False)
    return top


def _refuse(options: argparse.Namespace) -> None:
    if options.command in _REFUSED:
        raise Failure(
            f"{options.command} is not part of this stand-in for rpm-ostree: {_REFUSED[options.command]}"
        )
    if getattr(options, "apply_live", False):
        raise Failure(
            "--apply-live is not part of this stand-in for rpm-ostree: changes take effect at the next boot"
        )
    if getattr(options, "force_replacefiles", False):
        raise Failure("--force-replacefiles is not part of this stand-in for rpm-ostree")


def _function(command: str) -> Callable[[argparse.Namespace], None]:
    if command == "install":
        from . import container

        if container.inside():
            return container.install
    # Every import costs time under emulation: refusals need none, frequent commands few.
    if command == "status":
        from . import status

        return status.show
    from . import commands

    functions: dict[str, Callable[[argparse.Namespace], None]] = {
        "install": commands.install,
        "uninstall": commands.uninstall,
        "upgrade": commands.upgrade,
        "rebase": commands.rebase,
        "deploy": commands.deploy,
        "rollback": commands.rollback,
        "cleanup": commands.cleanup,
        "kargs": commands.kargs,
    }
    return functions[command]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    top = parser(arguments)
    options, unknown = top.parse_known_args(arguments)
    if options.version:
        return options
    if options.command is None:
        top.print_usage(sys.stderr)
        raise Failure("No command specified")
    _refuse(options)
    if unknown:
        raise Failure(f"Unknown option {unknown[0]}")
    options.command = _ALIASES.get(options.command, options.command)
    if options.command in ("install", "uninstall") and not (
        options.packages or getattr(options, "all", False)
    ):
        raise Failure("At least one PACKAGE must be specified")
    return options


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    options = argparse.Namespace()
    try:
        options = _parse(arguments)
        if options.version:
            print(_VERSION_TEXT)
        elif options.command != "reload":
            _function(options.command)(options)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except Unchanged:
        return 77 if options.unchanged_exit_77 else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as error:
        if type(error).__module__ != "gi._error" and not hasattr(error, "domain"):
            raise
        print(f"error: {getattr(error, 'message', error)}", file=sys.stderr)  # libostree's message
        return 1
    return 0
