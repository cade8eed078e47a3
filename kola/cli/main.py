"""The `kola` command: runs a subcommand, and turns any error into one message and an exit status."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence

import kola
from harness.errors import ConfigError, HarnessError
from harness.util.language import localized, tr
from harness.util.width import padded
from kola.cli import commands, streams
from kola.run.argtypes import shortened

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

COMPLETION = "_ARGCOMPLETE"
"""The variable with which a shell's completion asks for words instead of the command."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})
"""The errors of a disk, which may be met at any place and need no traceback."""

_HELP_WIDTH = 16
_GC_THRESHOLD = 20_000  # most objects of a command live as long as it, so collections find next to nothing


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Wrong input ends in exit status 2 and one message, never a traceback."""
    if argv is None and COMPLETION in os.environ:
        from kola.cli.complete import complete

        complete()
    streams.prepare()
    gc.set_threshold(_GC_THRESHOLD)
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _require_text(words)
        if words[:1] == ["help"] and len(words) > 1 and words[1] not in ("help", "-h", "--help"):
            words = _asked(words[1:])
        if not words or words[0] in ("-h", "--help", "help"):
            print(_help())
            return streams.finish(OK if words else USAGE)
        if words[0] == "--version":
            words = ["version"]
        if words[0].startswith("-"):
            words = commands.command_first(words)
        command = commands.load(words[0])
        _require_current_directory()
        args = commands.parser(words[0], command).parse(words[1:])
        status = int(command.run(args))
        gc.freeze()  # the process ends: its last collection would be the longest
        return streams.finish(status)
    except SystemExit as ended:  # argparse's --help
        return streams.finish(ended.code if isinstance(ended.code, int) else FAILED)
    except ConfigError as error:
        _complain(tr("kola: error: {error}", error=error.described(tr("hint"), say=localized)))
        return USAGE
    except HarnessError as error:
        _complain(f"kola: {localized(str(error))}")
        return FAILED
    except KeyboardInterrupt:
        _complain(tr("kola: interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        return streams.finish(OK)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _complain(tr("kola: cannot write: {error}", error=error))
        return FAILED


def _complain(message: str) -> None:
    print(streams.sane(message), file=sys.stderr)


def _asked(words: list[str]) -> list[str]:
    """Return `COMMAND --help`, or `COMMAND VERB --help`, for the words after `help`.

    Raises ConfigError.
    """
    made = commands.parser(words[0], commands.load(words[0]))
    verbs = words[1:2] if words[1:2] and words[1] in made.verbs() else []
    if surplus := words[1 + len(verbs) :]:
        raise ConfigError(f"unexpected argument {shortened(surplus[0])}", hint=f"kola help {words[0]}")
    return [words[0], *verbs, "--help"]


def _help() -> str:
    lines = [
        tr("usage: {usage}", usage="kola COMMAND [OPTION…] [ARGUMENT…]"),
        "",
        tr("VM tests for NestOS."),
        "",
    ]
    for topic, members in commands.by_topic().items():
        lines.append(tr("{title}:", title=localized(topic)))
        lines += [f"  {padded(name, _HELP_WIDTH)}{localized(commands.load(name).HELP)}" for name in members]
    last = tr("kola COMMAND --help explains each. This is version {version}.", version=kola.__version__)
    return "\n".join([*lines, "", last])


def _require_text(words: Sequence[str]) -> None:
    """Raise ConfigError for an argument that a report could not contain."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(word).decode(errors="backslashreplace")
            raise ConfigError(
                f"the argument '{shown}' is not valid text in this locale",
                hint="rename the file, or set LC_ALL to the encoding of its name",
            ) from None


def _require_current_directory() -> None:
    try:
        os.getcwd()  # noqa: PTH109 - only whether it raises matters
    except OSError as error:
        raise ConfigError(
            f"the current directory cannot be used: {error.strerror}",
            hint="change to one that exists",
        ) from None


if __name__ == "__main__":
    sys.exit(main())
