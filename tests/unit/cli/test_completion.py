"""Completion: the words for a line, asked for as a shell's script does, and by the shells themselves."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from artifact_files import build_root
from completing import completed, program, words
from terminal import Terminal

from harness.errors import ConfigError
from kola.cases.catalog import find_tests, own_root
from kola.cli import candidates, commands
from kola.cli.completion import SHELLS
from kola.cli.main import main
from kola.facts.model import FILE, Facts

MALFORMED = "ignition.failures.malformed-config"
BARE = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}
HEAVY = {"cryptography", "paramiko", "pydantic", "pytest", "yaml"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kola he", ["help"]),
        ("kola rer", ["rerun"]),
        ("kola help run-", ["run-upgrade"]),
        ("kola help reference ", ["build"]),
        ("kola man run-", ["run-upgrade"]),
        ("kola nosa ", ["install", "uninstall"]),
        ("kola reference build --inst", ["--installer", "--install-missing"]),
        ("kola run --keep", ["--keep-on-failure"]),
        ("kola run --no-n", ["--no-net"]),
        ("kola run --boot ", ["auto", "cold"]),
        ("kola run --boot=c", ["cold"]),
        ("kola run --qemu-firmware uefi-", ["uefi-secure"]),
        ("kola spawn --firmware uefi-", ["uefi-secure"]),
        ("kola run ignition.failures.mal", [MALFORMED]),
        ("kola run basic --tag smoke ignition.failures.mal", [MALFORMED]),
        ("kola rerun ignition.failures.mal", [MALFORMED]),
        ("kola list ignition.failures.mal", [MALFORMED]),
        ("kola run --denylist-test ignition.failures.mal", [MALFORMED]),
        ("kola run --tag smok", ["smoke"]),
        ("kola run -p ", ["qemu", "libvirt"]),
        ("kola list --platform lib", ["libvirt"]),
        ("kola spawn -p ", ["qemu", "libvirt"]),
        ("kola run --arch ", ["x86_64", "aarch64"]),
        ("kola reference build --arch a", ["aarch64"]),
        ("kola run --libvirt-uri ", ["qemu:///system", "qemu:///session"]),
        ("kola run --rerun --allow-rerun-success=tags=smok", ["smoke"]),
        ("kola run --tag !smok", [r"\!smoke"]),
        ("kola run --tag defaults,smok", ["defaults,smoke"]),
        ("kola -p qemu run --tag smok", ["smoke"]),
        ("kola -p qemu rer", ["rerun"]),
        ("kola -p qemu --denylist-tes", ["--denylist-test"]),
        ("sudo -E kola rer", ["rerun"]),
        ("/opt/bin/kola rer", ["rerun"]),
        ("kola completion ", list(SHELLS)),
        ("kola run --qemu-memory ", []),
        ("kola run no-such-test", []),
        ("kola run 'unfinish", []),
    ],
)
def test_words_that_complete_a_line(line: str, expected: list[str]) -> None:
    assert words(line) == expected


def test_without_a_letter_there_are_all_commands() -> None:
    assert words("kola ") == [*commands.names(), "help"]
    assert words("kola --") == ["--help", "--help-all", "--version"]


def test_flags_are_offered_after_a_dash_and_where_nothing_else_could_stand() -> None:
    assert not any(word.startswith("-") for word in words("kola run "))
    assert {"--detach", "--butane"} < {*words("kola spawn ")}
    flags = words("kola run --")
    assert "--output-dir" in flags
    assert not [flag for flag in flags if "=" in flag], "--no-net=true and its like are left out"


def test_each_command_is_offered_its_own_tests() -> None:
    tests = find_tests(own_root()).tests
    upgrade = {test.name for test in tests if test.required_tag == "upgrade"}
    assert upgrade
    assert {*words("kola run-upgrade ")} == upgrade
    assert {*words("kola run ")} == {test.name for test in tests} - upgrade
    assert {*words("kola testiso ")} == {test.name for test in tests if "iso" in test.tags}


def test_external_tests_are_offered(tmp_path: Path) -> None:
    script = tmp_path / "proj/tests/kola/disk/grow"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n# kola: {}\n")
    script.chmod(0o755)
    assert words("kola run ext.", cwd=tmp_path / "proj") == ["ext.proj.disk.grow"]
    assert words(f"kola run -E {tmp_path}/proj ext.", cwd=tmp_path) == ["ext.proj.disk.grow"]
    assert words(f"kola run -E {tmp_path}/none ignition.failures.mal", cwd=tmp_path) == [MALFORMED]


def test_builds_of_the_build_directory_are_offered(tmp_path: Path) -> None:
    root = build_root(tmp_path, {"24.03.2": ("x86_64",), "24.03.1": ("x86_64",)})
    assert words("kola run --build 2", cwd=root) == ["24.03.2", "24.03.1"]
    assert words("kola run-upgrade --parent 24.03.1", cwd=root) == ["24.03.1"]
    assert words(f"kola spawn --workdir {root} --build ") == ["latest", "24.03.2", "24.03.1"]
    assert words("kola facts diff 24.03.1 la", cwd=root) == ["latest"]
    (root / "builds/builds.json").write_text("{")
    assert words("kola run --build ", cwd=root) == []


def test_facts_are_offered_by_build_and_by_category(tmp_path: Path) -> None:
    root = build_root(tmp_path, {"24.03.2": ("x86_64",), "24.03.1": ("x86_64",)})
    for line in ("kola facts show 24.03.", "kola facts accept 24", "kola facts diff latest 24.03"):
        assert words(line, cwd=root) == ["24.03.2", "24.03.1"]
    assert words("kola facts show latest --category ", cwd=root) == [], "that build has no facts"
    facts = Facts("24.03.2", "", {"units": {}, "packages": {}})
    facts.write(root / "builds/24.03.2/x86_64" / FILE)
    assert words("kola facts show latest --category ", cwd=root) == ["packages", "units"]
    assert words("kola facts show 24.03.2 --category u", cwd=root) == ["units"]
    facts.write(tmp_path / "kept.json.gz")
    assert words("kola facts show kept.json.gz --category pa", cwd=tmp_path) == ["packages"]


def test_files_and_directories_are_offered_where_they_are_meant(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "disk.qcow2").touch()
    assert {*words("kola run --qemu-image d", cwd=tmp_path)} == {"dir/", "disk.qcow2"}
    assert words("kola run --workdir d", cwd=tmp_path) == ["dir/"]
    assert words("kola run d", cwd=tmp_path) == [
        name for name in words("kola run ") if name.startswith("d")
    ], "no file is a test"


def test_kept_machines_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [SimpleNamespace(name="m1", build="24.03.1"), SimpleNamespace(name="m2", build="24.03.2")]
    monkeypatch.setattr("kola.keep.register.kept_machines", lambda: kept)
    parser, args = argparse.ArgumentParser(), argparse.Namespace()
    expected = {"m1": "24.03.1", "m2": "24.03.2", "latest": "the youngest machine"}
    assert candidates.machines(parser, args) == expected
    assert [*candidates.paths_in_machines(parser, args)] == ["m1:", "m2:", "latest:"]
    wanting = [
        name
        for name in commands.OWN
        if {"name", "names", "paths"}
        & {one.dest for one in commands.parser(name, commands.load(name))._actions}
    ]
    assert wanting == ["ssh", "scp", "console", "screenshot", "stop"]


def test_a_source_that_cannot_be_read_completes_nothing() -> None:
    def broken(parser: argparse.ArgumentParser, args: argparse.Namespace) -> candidates.Words:
        raise ConfigError("unreadable")

    parser = argparse.ArgumentParser()
    action = parser.add_argument("x")
    given = {"prefix": "", "action": action, "parser": parser, "parsed_args": argparse.Namespace()}
    assert candidates.Completer(broken)(**given) == {}


@pytest.mark.parametrize("line", ["kola nonsense ", "kola --bogus ", "kola help nonsense ", "kola \udcff"])
def test_an_error_is_silent(line: str) -> None:
    done = completed(line)
    assert (done.stdout, done.stderr) == ("", "")


def test_zsh_gets_a_text_for_each_word() -> None:
    assert completed("kola rer", shell="zsh").stdout == f"rerun:{commands.load('rerun').HELP}"
    assert completed(f"kola run {MALFORMED[:-3]}", shell="zsh").stdout.startswith(
        f"{MALFORMED}:A config that"
    )


def test_texts_beside_the_words_are_in_the_users_language() -> None:
    chinese = {**os.environ, "LANGUAGE": "zh_CN", "PYTHONIOENCODING": "utf-8"}
    assert completed("kola rer", shell="zsh", env=chinese).stdout == "rerun:再次运行上次失败的测试"
    assert (
        completed("kola run --no-n", shell="zsh", env=chinese).stdout == "--no-net:排除需要访问互联网的测试"
    )


def test_help_and_completion_import_nothing_heavy() -> None:
    code = (
        "import sys; from kola.cli import commands, complete\n"
        "for name in commands.OWN: commands.parser(name, commands.load(name))\n"
        f"print(sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_names_kola(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "kola" in capsys.readouterr().out
    assert main(["completion", "tcsh"]) == 2


def in_shell(tmp_path: Path, shell: str, script: str) -> str:
    """Run a script in a shell without the user's settings, where `kola` is a program."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this host")
    path = f"{program(tmp_path / 'bin')}:{os.environ['PATH']}"
    done = subprocess.run(
        [shell, *BARE[shell], "-c", script],
        env=os.environ | {"PATH": path, "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def test_bash_completes_by_the_function_that_it_is_told_of(tmp_path: Path) -> None:
    out = in_shell(
        tmp_path,
        "bash",
        """
        source <(kola completion bash)
        complete -p kola
        COMP_LINE='kola run ignition.failures.mal' COMP_POINT=30 COMP_TYPE=9
        _python_argcomplete kola 2>/dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
        """,
    )
    registered, completion = out.splitlines()
    assert registered == "complete -o nospace -F _python_argcomplete kola"
    assert completion.strip() == MALFORMED


TYPED = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(kola completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; source <(kola completion zsh)"),
    "fish": (["fish", "--no-config", "-i"], "kola completion fish | source"),
}


@pytest.mark.parametrize("shell", TYPED)
def test_a_typed_tab_completes(tmp_path: Path, shell: str) -> None:
    """Keys in each shell as a user types them: a test, a platform, and a line with an error in it."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this host")
    argv, source = TYPED[shell]
    env = os.environ | {
        "PATH": f"{program(tmp_path / 'bin')}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PS1": "ready> ",
        "TERM": "xterm" if shell == "zsh" else "dumb",
    }
    with Terminal(argv, env=env, cwd=tmp_path) as terminal:
        terminal.expect("[>#] ")
        terminal.type(f"{source}; echo so''urced\r")
        terminal.expect("\nsourced")
        terminal.type("kola run ignition.failures.mal\t")
        terminal.expect(MALFORMED)
        terminal.type("\x15kola run -p lib\t")
        terminal.expect("-p libvirt")
        terminal.type("\x15kola nonsense --x\t\x15echo do''ne\r")
        terminal.expect("\ndone")
        assert "Traceback" not in terminal.screen
        terminal.type("exit\r")


def test_fish_completes(tmp_path: Path) -> None:
    out = in_shell(
        tmp_path, "fish", "kola completion fish | source; complete -C 'kola run ignition.failures.mal'"
    )
    assert out.startswith(f"{MALFORMED}\tA config that")


def test_zsh_loads_the_script(tmp_path: Path) -> None:
    out = in_shell(
        tmp_path,
        "zsh",
        "autoload -Uz compinit; compinit -D; source <(kola completion zsh); print $_comps[kola]",
    )
    assert out == "_python_argcomplete\n"
