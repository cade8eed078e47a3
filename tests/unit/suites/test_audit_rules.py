"""Each rule of the audits finds nothing on a sound system."""

from __future__ import annotations

import pytest
from audit_rules import RULES
from audit_samples import record


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_system_has_no_findings(rule: str) -> None:
    assert RULES[rule](record()) == []
