"""What audits and facts say has no secret in it: reports are kept, sent and shown."""

from __future__ import annotations

import json

import pytest
from audit_rules import RULES
from audit_samples import bad, record

from harness.artifact.distro import NESTOS
from testsuites.audit import etc, secrets
from testsuites.audit.configured import Configured
from testsuites.audit.facts import facts_of
from testsuites.audit.finding import Finding
from testsuites.audit.masking import masked, masked_record
from testsuites.audit.record import Record

LOGIN = "Y2ktcHVzaDpzM2NyZXQtcHVzaA=="


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("url=https://build:s3cret@repo.example/x", "url=https://…@repo.example/x"),
        ("+Environment=REGISTRY_TOKEN=abcd1234", "+Environment=REGISTRY_TOKEN=…"),
        (f'{{"auths": {{"r": {{"auth": "{LOGIN}"}}}}}}', '{"auths": {"r": {"auth": "…"}}}'),
        ("password: hunter2", "password: …"),
        ("secret=ab/cd+ef/gh==", "secret=…"),
        ("token=/run/secrets/token", None),
        ("says Bearer, token=Bearer abc.def", "says Bearer, token=…"),
        ("root:$6$salt$hashhashhash:1", "root:…:1"),
        ("nest:$y$j9T$abcdefgh$ijklmnop:1", "nest:…:1"),
        ("glpat-aaaaaaaaaaaaaaaaaaaa", "…"),
        ("passwordauthentication is yes for root", None),
        ("says 'PermitEmptyPasswords=yes'", None),
        ("says 'auth sufficient pam_permit.so'", None),
        ("says 'password_file: /etc/x'", None),
        ("secret = pass:insta", "secret = pass:…"),
        ("http://proxy.example:3128", None),
        ("it has mode 4755 and owner 0:0", None),
        ("was added: +[main] / +auth-polkit=false", None),
    ],
)
def test_passwords_and_tokens_are_left_out_and_nothing_else(text: str, shown: str | None) -> None:
    assert masked(text) == (text if shown is None else shown)
    assert str(Finding("rule", "item", text)) == f"rule: item: {masked(text)}"


def test_no_line_of_a_file_with_credentials_is_shown() -> None:
    path = "/etc/ostree/auth.json"
    line = f'{{"auths": {{"registry.example": {{"auth": "{LOGIN}"}}}}}}'
    sample = record(
        add={
            "files": [f"f 644 0 0 9 {path}\t"],
            "secrets": [f"{path}:{line}"],
            "etc-changes": [f"{path}\t+{line}", f"{path}\t+{{"],
        }
    )
    said = [str(one) for one in secrets.secrets(sample)]
    said += [str(one) for one in etc.etc_differences(sample, NESTOS, Configured())]
    assert said == [
        f"no secret is shipped: {path}: holds a credential",
        f"/etc is what the build ships: {path}: was added, mode 644",
    ]
    assert LOGIN not in json.dumps(facts_of(sample))
    assert facts_of(sample)["keys"][path] == "a credential"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", "holds a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "holds a private key"),
        ("aws_secret_access_key = abcdefgh", "holds a credential"),
    ],
)
def test_a_secret_is_named_by_its_kind(line: str, says: str) -> None:
    (found,) = secrets.secrets(bad("secrets", f"/etc/x:{line}"))
    assert found.says == says


def test_a_record_is_kept_without_secrets_and_judged_alike() -> None:
    lines = {
        "shadow": ["eve:$6$salt$hashhashhash:1::::::"],
        "passwords": ["/etc/x:api_token=abcd1234", "/etc/y:secret = pass:it"],
        "secrets": [f'/etc/auth:{{"auth": "{LOGIN}"}}'],
        "pam": ["/etc/pam.d/common-auth:auth sufficient pam_permit.so"],
    }
    sample = record(add=lines)
    kept = Record(masked_record(sample.text))
    assert not any(secret in kept.text for secret in ("hashhash", "abcd1234", LOGIN))
    for name in ("passwords", "secrets", "login stack"):
        assert RULES[name](kept) == RULES[name](sample) != []
