"""Images made from a Containerfile by the real buildah; RUN takes an OS, see testsuites/container."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path

import pytest

from harness.errors import ConfigError, InfrastructureError
from harness.services import Services
from harness.services.buildah import Buildah
from harness.services.images import OciImage
from harness.services.registry import Registry

BASE = OciImage({"os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}, ()).derive({"/etc/motd": "m"})


@pytest.fixture
def registry(services: Services) -> Registry:
    made = services.registry()
    made.push(BASE, "base")
    return made


def containerfile(context: Path, *lines: str) -> Path:
    context.mkdir()
    (context / "note").write_text("derived\n")
    (context / "Containerfile").write_text("\n".join(lines))
    return context


def manifest(registry: Registry, name: str) -> dict[str, list[dict[str, str]]]:
    scheme = "https" if registry.tls else "http"
    request = urllib.request.Request(
        f"{scheme}://{registry.on_host}/v2/{name}/manifests/latest",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    trust = ssl.create_default_context(cadata=registry.authority_pem) if registry.tls else None
    with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
        content: dict[str, list[dict[str, str]]] = json.load(answer)
    return content


@pytest.mark.parametrize("tls", [True, False])
def test_what_is_built_is_pushed_on_the_layers_it_was_built_on(
    services: Services, tmp_path: Path, tls: bool
) -> None:
    registry = services.registry(tls=tls)
    registry.push(BASE, "base")
    with Buildah(tmp_path / "buildah", registry) as buildah:
        buildah.pull("base")
        context = containerfile(tmp_path / "c", f"FROM {buildah.image('base')}", "COPY note /etc/")
        built = buildah.build(context, "derived")
        assert built.returncode == 0, built.stderr
        assert buildah.push("derived") == registry.image("derived")
    below, above = manifest(registry, "derived")["layers"]
    assert below["digest"] == BASE.layers[0][1].digest
    assert above["digest"] != below["digest"]
    assert not (tmp_path / "buildah").exists()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_a_step_that_fails_is_told_and_not_raised(registry: Registry, tmp_path: Path) -> None:
    with Buildah(tmp_path / "buildah", registry) as buildah:
        buildah.pull("base")
        context = containerfile(tmp_path / "c", f"FROM {buildah.image('base')}", "COPY nothing /etc/")
        built = buildah.build(context, "derived")
        assert built.returncode != 0
        assert "nothing" in built.stderr
        with pytest.raises(InfrastructureError, match="push"):
            buildah.push("derived")


def test_an_image_nobody_pushed_is_a_fault_of_the_infrastructure(registry: Registry, tmp_path: Path) -> None:
    with (
        Buildah(tmp_path / "buildah", registry) as buildah,
        pytest.raises(InfrastructureError, match="nowhere"),
    ):
        buildah.pull("nowhere")


def test_without_buildah_it_says_what_to_install(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="apt-get install buildah"):
        Buildah(tmp_path / "buildah", registry)
