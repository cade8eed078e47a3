"""Rules about whom the machine trusts: each finds its bad item, and says who it is."""

from __future__ import annotations

import base64
import datetime

import pytest
from audit_rules import NOTHING, items
from audit_samples import bad, record
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from testsuites.audit import trust

DAEMON = "/etc/docker/daemon.json"
OPTIONS = "/etc/default/docker"
DROPIN = "/etc/systemd/system/docker.service.d/10-tcp.conf"
MIRROR = "/etc/containers/registries.conf.d/050-mirror.conf"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@pytest.mark.parametrize(
    ("section", "line", "says"),
    [
        ("engine-options", f'{OPTIONS}:DOCKER_OPTS="-H tcp://0.0.0.0:2375"', "tcp://0.0.0.0:2375"),
        ("engine-options", f"{DROPIN}:ExecStart=/usr/bin/dockerd --host=tcp://10.1.2.3", "tcp://10.1.2.3"),
        ("engine-options", f"{DROPIN}:ExecStart=/usr/bin/dockerd --tlsverify=false -H tcp://a", "tcp://a"),
        ("engine-options", "/etc/systemd/system/docker.socket.d/1.conf:ListenStream=2375", "2375"),
        (
            "engine-options",
            "/etc/systemd/system/podman.service:ExecStart=/usr/bin/podman system service tcp:0.0.0.0:8080",
            "tcp:0.0.0.0:8080",
        ),
        (
            "engine-settings",
            '/etc/isulad/daemon.json:{"hosts": ["unix:///run/isulad.sock", "tcp://0.0.0.0:2375"]}',
            "tcp://0.0.0.0:2375",
        ),
    ],
)
def test_an_engine_that_obeys_the_network_is_named(section: str, line: str, says: str) -> None:
    file = line.partition(":")[0]
    (found,) = trust.engine_commands(record(instead={section: [line]}), NOTHING)
    assert (found.item, found.says) == (file, f"takes commands at {says} without tlsverify")


@pytest.mark.parametrize(
    "sections",
    [
        {"engine-options": [f"{OPTIONS}:DOCKER_OPTS=-H tcp://0.0.0.0:2376 --tlsverify --tlscacert=/x"]},
        {
            "engine-options": [
                "/etc/systemd/system/broker.service:ExecStart=/usr/bin/broker -H tcp://0.0.0.0:1"
            ]
        },
        {"engine-settings": [f'{DAEMON}:{{"hosts": ["tcp://0.0.0.0:2376"], "tlsverify": true}}']},
        {"engine-settings": [f'{DAEMON}:{{"hosts": ["unix:///run/docker.sock"]}}']},
    ],
)
def test_an_engine_that_asks_for_a_certificate_is_none(sections: dict[str, list[str]]) -> None:
    assert trust.engine_commands(record(instead=sections), NOTHING) == []


@pytest.mark.parametrize(
    ("section", "lines", "says"),
    [
        (
            "engine-settings",
            [
                f"{MIRROR}:[[registry]]",
                f'{MIRROR}:location = "docker.io"',
                f"{MIRROR}:[[registry.mirror]]",
                f'{MIRROR}:location = "mirror.example:5000"',
                f"{MIRROR}:insecure = true",
            ],
            "images of docker.io are taken from the mirror mirror.example:5000 without TLS",
        ),
        (
            "engine-settings",
            [
                f"{MIRROR}:[[registry]]",
                f'{MIRROR}:prefix = "*.example"',
                f'{MIRROR}:location = "hub.x"',
                f"{MIRROR}:insecure = true",
            ],
            "images of *.example are taken from hub.x without TLS",
        ),
        (
            "engine-settings",
            [f"{MIRROR}:[registries.insecure]", f'{MIRROR}:registries = ["hub.x"]'],
            "images of hub.x are taken without TLS",
        ),
        ("engine-settings", [f"{MIRROR}:[[registry"], "cannot be read: "),
        (
            "engine-settings",
            [f"{DAEMON}:{{", f'{DAEMON}:"insecure-registries": ["hub.x", "127.0.0.0/8"]}}'],
            "images of hub.x are taken without TLS",
        ),
        (
            "engine-settings",
            [f'{DAEMON}:{{"registry-mirrors": ["http://hub.x"]}}'],
            "images are taken from the mirror http://hub.x without TLS",
        ),
        ("engine-settings", [f"{DAEMON}:nothing"], "cannot be read: "),
        (
            "engine-options",
            [f'{OPTIONS}:DOCKER_OPTS="--insecure-registry hub.x --registry-mirror=https://hub.y"'],
            "images of hub.x are taken without TLS",
        ),
    ],
)
def test_a_registry_without_tls_is_named(section: str, lines: list[str], says: str) -> None:
    file = lines[0].partition(":")[0]
    (found,) = trust.registries(record(instead={section: lines}), NOTHING)
    assert found.item == file
    assert found.says.startswith(says)


def _certificate(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(day).not_valid_after(day + datetime.timedelta(days=9))
    return base64.b64encode(made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


def test_an_authority_of_no_package_is_named_by_its_subject() -> None:
    lines = [f"{BUNDLE}\t{_certificate(name)}" for name in ("Vendor CA", *"abcde")]
    (found,) = trust.authorities(bad("authorities", *lines), NOTHING)
    assert found.item == BUNDLE
    assert found.says.startswith("trusts CN=Vendor CA, CN=a, CN=b, CN=c, CN=d and 1 more, which the package")


def test_an_authority_for_hosts_is_named_with_its_hosts() -> None:
    line = "/etc/ssh/ssh_known_hosts:@cert-authority *.example ssh-ed25519 AAAA vendor@example"
    (found,) = trust.authorities(record(instead={"host-authorities": [line]}), NOTHING)
    assert (found.item, found.says) == (
        "/etc/ssh/ssh_known_hosts",
        "has ssh trust vendor@example for *.example",
    )


def test_a_proxy_is_named_without_the_name_and_password_for_it() -> None:
    line = "/etc/environment:https_proxy=http://build:s3cret@proxy.example:3128/"
    (found,) = trust.proxies(record(instead={"proxies": [line]}), NOTHING)
    assert found.says == "goes through the proxy proxy.example:3128"


def test_an_authority_that_nobody_can_read_is_one_and_so_are_all_without_the_package() -> None:
    assert items("authorities", bad("authorities", f"{BUNDLE}\tMIIB")) == {BUNDLE}
    alone = record(instead={"authorities": [f"{BUNDLE}\tMIIB", "known\t0"]})
    assert items("authorities", alone) == {"ca-certificates"}
