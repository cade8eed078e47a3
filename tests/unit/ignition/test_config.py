"""Reading and writing configs, and what bad input is answered with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.ignition import IgnitionConfig

MINIMAL = '{"ignition": {"version": "3.3.0"}}'


@pytest.mark.parametrize(
    ("text", "expected", "line"),
    [
        ("", "empty", None),
        ('{\n"ignition": {,}}', "not JSON", 2),
        ("variant: fcos\nversion: 1.4.0\n", "not JSON", 1),
        ('{"ignition": {"version": NaN}}', "NaN is not a JSON value", None),
        ("[" * 100_000, "nested", None),
        ("[]", "$.ignition.version is missing", None),
        ("{}", "$.ignition.version is missing", None),
        ('{"ignition": {}}', "a spec version is required", None),
        ('{"ignition": {"version": 3}}', "is not a version", None),
        ('{"ignition": {"version": "2.2.0"}}', "spec version 2.2.0 is not supported", None),
        ('{"ignition": {"version": "3.9.0"}}', "spec version 3.9.0 is not supported", None),
        ('{"ignition": {"version": "3.7.0-experimental"}}', "not a stable spec version", None),
        (
            '{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/f", "mode": "0644"}]}}',
            "$.storage.files.0.mode: must be a whole number, not a string",
            None,
        ),
        (
            '{"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/f", "mode": 4.5}]}}',
            "$.storage.files.0.mode: must be a whole number, not the number 4.5",
            None,
        ),
        (
            '{"ignition": {"version": "3.3.0"}, "storage": {"files": {}}}',
            "$.storage.files: must be a list, not an object",
            None,
        ),
        (
            '{"ignition": {"version": "3.3.0"}, "systemd": {"units": [{"enabled": 1}]}}',
            "$.systemd.units.0.enabled: must be true or false",
            None,
        ),
        (
            '{"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"uid": 1e400}]}}',
            "$.passwd.users.0.uid",
            None,
        ),
        (
            '{"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"uid": 99999999999999999999}]}}',
            "too large",
            None,
        ),
    ],
)
def test_bad_input_is_one_clear_error(text: str, expected: str, line: int | None) -> None:
    with pytest.raises(ConfigError) as caught:
        IgnitionConfig.parse(text, file="config.ign")
    assert expected in caught.value.message
    assert caught.value.line == line
    assert str(caught.value).startswith("config.ign")


def test_bytes_that_are_not_utf8_name_their_line() -> None:
    with pytest.raises(ConfigError) as caught:
        IgnitionConfig.parse(b'{\n"a": "\xff"}')
    assert caught.value.line == 2


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        IgnitionConfig.load(tmp_path / "none.ign")


def test_unknown_and_later_keys_are_ignored_with_a_warning() -> None:
    document = {
        "ignition": {"version": "3.3.0"},
        "foo": 1,
        "storage": {"luks": [{"name": "a", "discard": True}]},
    }
    config = IgnitionConfig.from_dict(document)
    assert [finding.path for finding in config.ignored] == ["$.foo", "$.storage.luks.0.discard"]
    assert "needs spec 3.4.0" in config.ignored[1].message
    assert config.to_dict()["storage"] == {"luks": [{"name": "a"}]}


def test_values_do_not_share_state_with_the_caller() -> None:
    document = {"ignition": {"version": "3.3.0"}, "storage": {"files": [{"path": "/f"}]}}
    config = IgnitionConfig.from_dict(document)
    document["storage"]["files"][0]["path"] = "/other"
    config.to_dict()["storage"]["files"].clear()
    assert config.to_dict()["storage"]["files"] == [{"path": "/f"}]
    assert config == IgnitionConfig.parse(config.to_json())
    assert len({config, IgnitionConfig.parse(config.to_json(pretty=True))}) == 1


def test_padding_keeps_the_meaning() -> None:
    config = IgnitionConfig.parse(MINIMAL)
    padded = config.to_bytes(pad_to=4096)
    assert len(padded) == 4096
    assert json.loads(padded) == config.to_dict()
    with pytest.raises(ConfigError, match="more than 10"):
        config.to_bytes(pad_to=10)


def test_text_outside_ascii_survives() -> None:
    document = {"ignition": {"version": "3.3.0"}, "passwd": {"users": [{"name": "nest", "gecos": "管理员"}]}}
    config = IgnitionConfig.from_dict(document)
    assert "管理员".encode() in config.to_bytes()
    assert IgnitionConfig.parse(config.to_bytes()) == config


def test_half_a_character_of_utf16_is_refused_since_no_utf8_says_it() -> None:
    text = '{"ignition": {"version": "3.0.0"}, "storage": {"files": [{"path": "/\\ud800"}]}}'
    with pytest.raises(ConfigError, match=r"\$.storage.files.0.path: half a character"):
        IgnitionConfig.parse(text)


def test_a_pipe_in_place_of_a_config_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "config.ign"
    os.mkfifo(pipe)
    with pytest.raises(ConfigError, match="found a named pipe"):
        IgnitionConfig.load(pipe)
