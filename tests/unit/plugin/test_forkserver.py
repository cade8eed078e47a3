"""The server that forks the workers of a run, in a process of its own: nothing here may fork pytest."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

HEAD = """
import os, signal, sys, threading, time
from pathlib import Path
from kola.plugin.xdist.forkserver import ForkServer

def ask(server, program):
    \"\"\"Start a worker and return it, the pipe that it reads, and the one that it writes.\"\"\"
    stdin, tell = os.pipe()
    hear, stdout = os.pipe()
    worker = server.fork(stdin, stdout)
    os.close(stdin), os.close(stdout)
    os.write(tell, (repr(program) + "\\n").encode())
    return worker, tell, hear

def heard(descriptor):
    with open(descriptor) as file:
        return file.read()
"""


def ran(program: str, *, tmp_path: Path) -> str:
    """What `program`, which may use ForkServer and the functions above, prints."""
    file = tmp_path / "program.py"
    file.write_text(HEAD + textwrap.dedent(program))
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_worker_has_the_modules_environment_and_directory_of_the_run(tmp_path: Path) -> None:
    printed = ran(
        """
        sys.modules["a_module_of_the_run"] = os
        server = ForkServer.start()
        os.environ["LATER"] = "set"
        os.environ.pop("HOME", None)
        os.chdir("/")
        worker, _, hear = ask(
            server,
            "import os, sys; print('a_module_of_the_run' in sys.modules, os.environ['LATER'],"
            " 'HOME' in os.environ, os.getcwd())",
        )
        print(heard(hear), end="")
        worker.wait()
        server.close()
        """,
        tmp_path=tmp_path,
    )
    assert printed == "True set False /\n"


def test_workers_are_reaped_and_the_end_of_one_is_known_at_once(tmp_path: Path) -> None:
    printed = ran(
        """
        server = ForkServer.start()
        quick, _, _ = ask(server, "pass")
        slow, _, hear = ask(server, "import time; time.sleep(600)")
        quick.wait()
        slow.kill()
        slow.wait()
        print(repr(heard(hear)))
        server.close()
        print([pid for pid in (quick.pid, slow.pid) if Path(f"/proc/{pid}").exists()])
        """,
        tmp_path=tmp_path,
    )
    assert printed == "''\n[]\n"


def test_a_worker_waits_for_its_threads_and_runs_what_was_registered_for_its_end(tmp_path: Path) -> None:
    printed = ran(
        """
        server = ForkServer.start()
        worker, _, hear = ask(
            server,
            "import atexit, threading, time\\n"
            "def late():\\n"
            "    time.sleep(0.2)\\n"
            "    print('thread', flush=True)\\n"
            "atexit.register(lambda: print('exit', flush=True))\\n"
            "threading.Thread(target=late).start()\\n",
        )
        print(heard(hear), end="")
        worker.wait()
        server.close()
        """,
        tmp_path=tmp_path,
    )
    assert printed == "thread\nexit\n"


def test_server_and_workers_die_with_the_run(tmp_path: Path) -> None:
    printed = ran(
        """
        hear, say = os.pipe()
        run = os.fork()
        if run == 0:
            os.close(hear)
            server = ForkServer.start()
            worker, _, _ = ask(server, "import time; time.sleep(600)")
            os.write(say, f"{server.pid} {worker.pid}".encode())
            time.sleep(600)
        os.close(say)
        pids = os.read(hear, 100).split()
        os.kill(run, signal.SIGKILL)
        os.waitpid(run, 0)
        # The last of them to die closes the pipe that all have inherited.
        print(os.read(hear, 100))
        """,
        tmp_path=tmp_path,
    )
    assert printed == "b''\n"


def test_a_process_with_threads_is_not_forked(tmp_path: Path) -> None:
    printed = ran(
        """
        threading.Thread(target=time.sleep, args=[600], daemon=True).start()
        print(ForkServer.start())
        """,
        tmp_path=tmp_path,
    )
    assert printed == "None\n"


def test_a_server_that_is_gone_is_an_error_of_the_host(tmp_path: Path) -> None:
    printed = ran(
        """
        server = ForkServer.start()
        os.kill(server.pid, signal.SIGKILL)
        try:
            ask(server, "pass")
        except OSError as error:
            print(type(error).__name__ != "", "refused")
        """,
        tmp_path=tmp_path,
    )
    assert printed == "True refused\n"
