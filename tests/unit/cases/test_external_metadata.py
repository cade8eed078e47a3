"""Metadata of external tests: where it may stand, what it may say, what is refused and where."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.errors import ConfigError
from kola.cases.external.metadata import Metadata, read_base, read_metadata
from kola.cases.model import Selector


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "test"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def yaml_test(tmp_path: Path, *lines: str) -> Path:
    return written(tmp_path, "#!/bin/sh\n## kola:\n" + "".join(f"##   {line}\n" for line in lines) + "true\n")


def refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_metadata(path, {})
    assert caught.value.file == path
    return caught.value


def test_no_metadata_means_exclusive_and_everywhere(tmp_path: Path) -> None:
    metadata = read_metadata(written(tmp_path, "#!/bin/sh\ntrue\n"), {})
    assert metadata == Metadata()
    info = metadata.info("ext.x", tmp_path)
    assert info.exclusive
    assert info.tags == {"external"}


def test_every_key_of_the_table(tmp_path: Path) -> None:
    metadata = read_metadata(
        yaml_test(
            tmp_path,
            'architectures: "! s390x ppc64le"',
            "platforms: qemu aws",
            'distros: "!rhcos"',
            "tags: a  b",
            "requiredTag: c",
            'additionalDisks: ["5G:mpath", 1G]',
            'primaryDisk: ":mpath"',
            "minMemory: 2048",
            "minDisk: 20",
            "numaNodes: true",
            "additionalNics: 2",
            "appendKernelArgs: mitigations=off 1",
            "appendFirstbootKernelArgs: ip=dhcp",
            "exclusive: false",
            "conflicts:",
            "  - ext.x.y",
            "timeoutMin: 15",
            "allowConfigWarnings: true",
            "injectContainer: true",
            'bindMountHostRO: ["/usr,/mnt/usr"]',
            "bootFrom: iso-as-disk",
            "requiredHostPorts: [2049, 111]",
            "noInstanceCreds: true",
            "instanceType: m5.large",
            "creationDate: 2026-03-01",
            "skipOn77: true",
            "description: one",
            "  two",
        ),
        {},
    )
    assert metadata == Metadata(
        architectures=Selector(("s390x", "ppc64le"), exclude=True),
        platforms=Selector(("qemu", "aws")),
        distros=Selector(("rhcos",), exclude=True),
        tags=("a", "b"),
        required_tag="c",
        description="one two",
        exclusive=False,
        conflicts=("ext.x.y",),
        timeout_minutes=15,
        additional_disks=("5G:mpath", "1G"),
        primary_disk=":mpath",
        min_memory_mib=2048,
        min_disk_gib=20,
        numa_nodes=True,
        additional_nics=2,
        append_kernel_args="mitigations=off 1",
        append_firstboot_kernel_args="ip=dhcp",
        allow_config_warnings=True,
        inject_container=True,
        bind_mount_host_ro=(("/usr", "/mnt/usr"),),
        boot_from="iso-as-disk",
        required_host_ports=(2049, 111),
        no_instance_creds=True,
        instance_type="m5.large",
        creation_date=date(2026, 3, 1),
        skip_on_77=True,
    )
    assert metadata.info("ext.x", tmp_path).grace_until == "2026-03-31"
    assert metadata.machine_options[:2] == ("additionalDisks", "primaryDisk")


def test_json_on_one_line(tmp_path: Path) -> None:
    path = written(
        tmp_path, '#!/bin/sh\n# kola: { "tags": "needs-internet", "exclusive": false, "minMemory": 4096 }\n'
    )
    metadata = read_metadata(path, {})
    assert (metadata.tags, metadata.exclusive, metadata.min_memory_mib) == (("needs-internet",), False, 4096)


@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_a_block_at_the_end_of_the_file_counts(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, f"#!/bin/sh\nexit 0\n## kola:\n##   exclusive: false{ending}")
    assert not read_metadata(path, {}).exclusive


def test_a_block_after_the_first_eight_kibibytes_counts(tmp_path: Path) -> None:
    path = written(tmp_path, "#!/bin/sh\n" + "# a licence\n" * 4000 + "## kola:\n##   exclusive: false\n")
    assert not read_metadata(path, {}).exclusive


def test_the_block_ends_where_its_prefix_does(tmp_path: Path) -> None:
    path = written(tmp_path, "## kola:\n##   exclusive: false\n#\n## Prose: not metadata.\n# kola: {}\n")
    assert not read_metadata(path, {}).exclusive


def test_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    assert read_metadata(written(tmp_path, "## kola:\r\n##   tags: a\r\n"), {}).tags == ("a",)


def test_a_binary_has_no_inline_metadata(tmp_path: Path) -> None:
    assert read_metadata(written(tmp_path, b"\x7fELF\0\0\n## kola:\n##   nonsense: 1\n"), {}) == Metadata()


def test_scalars_are_taken_as_written_where_text_is_meant(tmp_path: Path) -> None:
    metadata = read_metadata(
        yaml_test(tmp_path, "tags: on 1e3", "requiredTag: yes", "appendKernelArgs: 1"), {}
    )
    assert (metadata.tags, metadata.required_tag, metadata.append_kernel_args) == (("on", "1e3"), "yes", "1")


def test_keys_without_a_value_are_as_if_absent(tmp_path: Path) -> None:
    assert read_metadata(yaml_test(tmp_path, "tags:", "minMemory:", "conflicts:"), {}) == Metadata()


def test_inline_keys_go_before_kola_json(tmp_path: Path) -> None:
    base = tmp_path / "kola.json"
    base.write_text('{"exclusive": false, "tags": "base", "timeoutMin": 5}')
    metadata = read_metadata(yaml_test(tmp_path, "tags: own"), read_base(base))
    assert (metadata.exclusive, metadata.tags, metadata.timeout_minutes) == (False, ("own",), 5)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("minmemory: 1", "did you mean 'minMemory'"),
        ("frobnicate: 1", "known: "),
        ("exclusive: nope", "expected true or false, not 'nope'"),
        ("minMemory: 2G", "expected a whole number"),
        ("minDisk: -1", "expected a whole number"),
        ("additionalNics: true", "expected a whole number"),
        ("conflicts: ext.x", "expected a list"),
        ("bootFrom: pxe", 'expected "iso"'),
        ("requiredHostPorts: [70000]", "70000 is no port"),
        ('bindMountHostRO: ["/usr"]', 'expected "SOURCE,TARGET"'),
        ("creationDate: soon", "expected a date"),
        ("creationDate: 2026-13-01", "expected a date"),
        ("tags: [a, b]", "expected a text"),
        ("description: b", "the key 'description' is given twice"),
    ],
)
def test_errors_name_the_line_and_the_remedy(tmp_path: Path, line: str, says: str) -> None:
    error = refused(yaml_test(tmp_path, "description: a", "platforms: qemu", line))
    assert says in str(error)
    assert error.line == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("#!/bin/sh\n\n# kola: {\n", 3),
        ("#!/bin/sh\n# kola: [1]\n", 2),
        ('#!/bin/sh\n# kola: {"tags": 1}\n', 2),
        ('#!/bin/sh\n# kola: {"tags": "a", "tags": "b"}\n', 2),
        ("#!/bin/sh\n# kola:\n", 2),
        ("#!/bin/sh\n## kola: exclusive: false\n", 2),
        ("#!/bin/sh\n## kola:\n##   a: [\n", 4),
        ("#!/bin/sh\n## kola:\n## - a\n", 3),
        ("#!/bin/sh\n## kola:\n##   tags: a\n## kola:\n", 4),
        ("#!/bin/sh\n## kola:\n##   exclusive: false\n##\n##   tags: a\n", 4),
    ],
)
def test_malformed_blocks_are_errors_with_their_line(tmp_path: Path, text: str, line: int) -> None:
    assert refused(written(tmp_path, text)).line == line


def test_kola_json_errors_name_its_line(tmp_path: Path) -> None:
    base = tmp_path / "kola.json"
    base.write_text('{\n  "tags": "a",\n  "exclusiv": true\n}\n')
    with pytest.raises(ConfigError) as caught:
        read_base(base)
    assert (caught.value.file, caught.value.line) == (base, 3)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('architectures: "x86_64, aarch64"', "'x86_64,' is not a name; separate names by blanks"),
        ('architectures: "!s390x !ppc64le"', "only the first word may have a `!`"),
        ('architectures: "!!ppc64le"', "only the first word may have a `!`"),
        ("architectures: x86", "'x86' is unknown; did you mean 'x86_64'?"),
        ("platforms: qemuu", "'qemuu' is unknown; did you mean 'qemu'?"),
        ('distros: "!"', "`!` excludes nothing"),
        ("distros: fcos;rhcos", "separate names by blanks"),
    ],
)
def test_a_word_that_can_match_nothing_is_refused(tmp_path: Path, line: str, says: str) -> None:
    error = refused(yaml_test(tmp_path, "description: a", line))
    assert says in str(error)
    assert error.line == 4


def test_a_comment_may_follow_json(tmp_path: Path) -> None:
    text = '#!/bin/bash\n# kola: {"exclusive": false} # see the tracker\ntrue\n'
    assert not read_metadata(written(tmp_path, text), {}).exclusive


def test_anything_else_after_json_is_refused(tmp_path: Path) -> None:
    assert "more follows" in str(refused(written(tmp_path, '# kola: {"exclusive": false} true\n')))


def test_merge_keys_of_yaml_count_where_the_mapping_says_nothing_itself(tmp_path: Path) -> None:
    metadata = read_metadata(
        yaml_test(tmp_path, '<<: {tags: "a b", exclusive: true}', "exclusive: false"), {}
    )
    assert metadata.tags == ("a", "b")
    assert not metadata.exclusive


@pytest.mark.parametrize("lines", [["null"], ["# nothing yet"], ["tags: ~", "minDisk: null"]])
def test_null_says_nothing(tmp_path: Path, lines: list[str]) -> None:
    assert read_metadata(yaml_test(tmp_path, *lines), {}) == Metadata()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("tags: !!binary aGVsbG8=", "the tag tag:yaml.org,2002:binary has no meaning here"),
        ("tags: !foo a", "the tag !foo has no meaning here"),
        ("[tags]: a", "a key must be plain text"),
        ("<<: [1]", "only a mapping can be merged"),
        ("exclusive: !!bool maybe", "expected true or false, not 'maybe'"),
        (f"minDisk: {'9' * 5000}", "expected a whole number"),
        ("description: &a [*a]", "an alias contains itself"),
    ],
)
def test_yaml_that_makes_no_sense_here_is_one_sentence(tmp_path: Path, line: str, says: str) -> None:
    error = refused(yaml_test(tmp_path, line))
    assert says in str(error)
    assert error.line == 3
    assert len(error.message) < 200


def test_metadata_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    error = refused(written(tmp_path, b"#!/bin/sh\n## kola:\n##   description: \xb2\xe2\n"))
    assert error.message == "metadata that is not UTF-8"
    assert error.line == 3
