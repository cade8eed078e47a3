"""Print the script with which a shell completes kola's command lines.

It completes commands, flags, names of tests, tags, builds, kept machines and files. Where the script goes:
bash: ~/.local/share/bash-completion/completions/kola, zsh: _kola in a directory of $fpath,
fish: ~/.config/fish/completions/kola.fish.
"""

from __future__ import annotations

import argparse

HELP = "print the completion script of bash, zsh or fish"
EXAMPLES = (
    "source <(kola completion bash)        # for this shell",
    'kola completion zsh > "${fpath[1]}/_kola"',
)
SHELLS = ("bash", "zsh", "fish")
PROGRAM = "kola"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")


def run(args: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    # Without bash's own completions, which would offer files where kola knows that none is meant.
    print(shellcode([PROGRAM], shell=args.shell, complete_arguments=["-o", "nospace"]))
    return 0
