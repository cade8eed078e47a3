"""The registry: the real program, plain and with TLS, stopped and started, gone with its parent."""

from __future__ import annotations

import hashlib
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from service_calls import ask, connection, fetch

from harness.errors import ConfigError
from harness.services import Registry, RegistryRequest, Services
from harness.util.deadline import Deadline


def upload(registry: Registry, data: bytes) -> str:
    """Push a blob in one piece (OCI distribution spec); its digest."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    line = connection(registry.listener)
    line.request("POST", "/v2/os/blobs/uploads/", headers={"Content-Length": "0"})
    begun = line.getresponse()
    begun.read()
    where = begun.headers["Location"].partition("guest")[2]
    line.request("PUT", f"{where}&digest={digest}", body=data)
    done = line.getresponse()
    assert done.status == 201, done.read()
    line.close()
    return digest


def test_it_keeps_what_was_pushed_through_a_restart(services: Services) -> None:
    registry = services.registry(tls=False)
    digest = upload(registry, b"a layer")
    registry.stop()
    assert not registry.listener.listening
    registry.start()
    assert fetch(registry.listener, f"/v2/os/blobs/{digest}").body == b"a layer"
    assert registry.blob(digest).read_bytes() == b"a layer"
    assert RegistryRequest("GET", f"/v2/os/blobs/{digest}", 200) in registry.requests


def test_programs_of_this_host_find_it_on_loopback(services: Services) -> None:
    registry = services.registry()
    trust = ssl.create_default_context(cadata=services.authority_pem)
    url = f"https://{registry.on_host}/v2/"
    assert registry.on_host in url, "it is always the same port"
    for _ in range(2):
        with urllib.request.urlopen(url, context=trust, timeout=10) as answer:
            assert answer.read() == b"{}"
    registry.stop()
    with pytest.raises(OSError):
        urllib.request.urlopen(url, context=trust, timeout=10)
    services.close()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, context=trust, timeout=10)


def test_it_speaks_tls_with_our_certificate(services: Services) -> None:
    registry = services.registry()
    knows = ssl.create_default_context(cadata=services.authority_pem)
    line = connection(registry.listener, knows, "registry.kola.test")
    assert ask(line, "/v2/").status == 200
    line.close()
    with pytest.raises(ssl.SSLCertVerificationError):
        connection(registry.listener, ssl.create_default_context(), "registry.kola.test")
    assert registry.image("os:latest") == "registry.kola.test/os:latest"
    assert {file.path for file in registry.trust()} >= {
        "/etc/containers/certs.d/registry.kola.test/ca.crt",
        "/etc/docker/certs.d/registry.kola.test/ca.crt",
    }


def test_a_second_one_has_a_place_of_its_own(services: Services) -> None:
    first, second = services.registry(), services.registry(tls=False)
    assert (first.endpoint.address, second.endpoint.address) == ("10.0.2.120", "10.0.2.121")
    assert second.image("os") == "registry2.kola.test:5000/os"
    assert 'location = "registry2.kola.test:5000"\ninsecure = true' in str(second.trust()[0].content)


def test_closed_it_leaves_its_log_only(services: Services) -> None:
    registry = services.registry()
    assert fetch_status(registry) == 400  # plain HTTP to a port of TLS
    pid = registry.pid
    services.close()
    assert not Path(f"/proc/{pid}").exists()
    assert [file.name for file in services.directory.iterdir()] == ["registry.log"]


def fetch_status(registry: Registry) -> int:
    return fetch(registry.listener, "/v2/").status


def test_without_the_program_it_says_what_to_install(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="apt-get install docker-registry"):
        services.registry()


def test_nothing_is_left_when_the_runner_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from harness.services import Services\n"
        "services = Services(Path(sys.argv[1]))\n"
        "listeners = [services.http({'a': 'b'}).listener, (registry := services.registry()).listener]\n"
        "services.tftp({'a': 'b'})\n"
        "print(registry.pid, *(listener.socket for listener in listeners), flush=True)\n"
        "time.sleep(600)\n"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "services")], stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    pid, *sockets = runner.stdout.readline().split()
    assert all(f"@{name}" in Path("/proc/net/unix").read_text() for name in sockets)
    runner.send_signal(signal.SIGKILL)
    runner.communicate()

    def gone() -> bool:
        state = Path(f"/proc/{pid}/stat")
        ended = not state.exists() or " Z " in state.read_text()
        table = Path("/proc/net/unix").read_text()
        return ended and not any(f"@{name}" in table for name in sockets)

    Deadline(5).poll(gone, step="waiting for everything to be gone", interval=0.02)
