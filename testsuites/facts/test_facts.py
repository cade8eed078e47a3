"""The facts of a build, compared with those of the build before it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from harness.artifact import Build, BuildRoot
from harness.errors import ConfigError
from kola.facts.approvals import FILE as APPROVALS
from kola.facts.approvals import load_approvals
from kola.facts.compare import Severity, differences
from kola.facts.model import FILE, Facts
from kola.plugin.keys import STATE
from testsuites.audit.collection import Collection
from testsuites.audit.facts import facts_of

pytestmark = pytest.mark.kola(tags=["facts", "audit"])


@pytest.fixture
def facts(collection: Collection, build: Build, request: pytest.FixtureRequest) -> Facts:
    """The facts of this build, written into the run's output directory for `kola facts accept`."""
    made = Facts(build.id, build.stream or "", facts_of(collection.record_with_commit()))
    made.write(request.config.stash[STATE].plan.output / FILE)
    return made


@pytest.mark.kola(name="facts.unchanged")
def test_facts_are_those_of_the_build_before(facts: Facts, build: Build) -> None:
    """No way in, right, listener, unit, mount or boot entry is new since the last build that was accepted."""
    root = build.directory.parents[2]
    before = accepted_before(root, build, facts.stream)
    if before is None:
        pytest.skip("no earlier build of this stream has accepted facts: `kola facts accept`")
    approvals = load_approvals(root / "src/config" / APPROVALS)
    found = differences(Facts.read(before), facts, approvals)
    grave = [str(one) for one in found if one.severity is Severity.FAILURE]
    assert not grave, "\n".join(grave)


def accepted_before(root: Path, build: Build, stream: str) -> Path | None:
    """Return the accepted facts of the nearest older build of the stream; else those of this build itself."""
    builds, older = BuildRoot(root), build
    with contextlib.suppress(ConfigError):  # the oldest has no parent
        while True:
            older = builds.before(older)
            path = older.directory / FILE
            if path.is_file() and Facts.read(path).stream == stream:
                return path
    own = build.directory / FILE
    return own if own.is_file() else None
