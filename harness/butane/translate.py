"""Translation from Butane to Ignition: the one function for use outside this package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath

import yaml

from harness.butane.bootdevice import boot_device_tree
from harness.butane.check import check_document, check_partitions, visit
from harness.butane.convert import Converter
from harness.butane.decode import Decoder, read_document, scalar_of
from harness.butane.grub import grub_tree
from harness.butane.keys import DOCUMENT
from harness.butane.local import LocalFiles
from harness.butane.locate import Locator
from harness.butane.mounts import mount_units
from harness.butane.report import Report
from harness.butane.spec import Spec, find
from harness.butane.trees import add_trees
from harness.errors import ConfigError
from harness.ignition.config import IgnitionConfig
from harness.ignition.findings import Finding, Path, undotted
from harness.ignition.merge import merge_trees
from harness.ignition.schema import STORAGE, Object, Struct
from harness.ignition.version import SpecVersion

Generated = dict[tuple[str, str], Path]

_FIRST_WITH_ARN = SpecVersion(4)


@dataclass(frozen=True, slots=True)
class Translation:
    """The result of a translation.

    `tolerated` lists the warnings about deviations that NestOS's own tests rely on. A test that must be free
    of config warnings may have them.
    """

    config: IgnitionConfig
    warnings: tuple[Finding, ...]
    tolerated: tuple[Finding, ...] = ()


def translate(
    text: str, *, files_dir: FilePath | None, strict: bool = False, source: FilePath | None = None
) -> Translation:
    """Translate a Butane config to one that Ignition accepts.

    `local` files are read from `files_dir` only. Raises ConfigError with `source` and the line of each error;
    with `strict`, of each warning too.
    """
    root = read_document(text, source)
    spec = _spec_of(root, source)
    report = Report()
    document = Decoder(spec, report).mapping(root, DOCUMENT, ())
    report.raise_errors(source)
    check_document(document, spec, report)
    report.raise_errors(source)
    config = _Translator(document, spec, LocalFiles(files_dir), report).run(source)
    report.raise_errors(source, strict=strict)
    return Translation(config, report.warnings(), report.tolerated())


def _spec_of(root: yaml.MappingNode, source: FilePath | None) -> Spec:
    variant, variant_line = scalar_of(root, "variant")
    version, version_line = scalar_of(root, "version")
    try:
        return find(variant, version)
    except ConfigError as wrong:
        line = variant_line if wrong.message.startswith("$.variant") else version_line
        raise ConfigError(wrong.message, file=source, line=line, hint=wrong.hint) from None


class _Translator:
    def __init__(self, document: Object, spec: Spec, files: LocalFiles, report: Report) -> None:
        self._document = document
        self._spec = spec
        self._files = files
        self._report = report
        self._generated: Generated = {}

    def run(self, source: FilePath | None) -> IgnitionConfig:
        document, storage = self._document, self._document.get("storage", {})
        own = Converter(self._spec.minor, self._files, self._report).convert(document, DOCUMENT)
        self._report.raise_errors(source)
        own.setdefault("ignition", {})["version"] = str(self._target())

        result = self._with_mount_units(own, storage)
        trees = storage.get("trees", [])
        for path, origin in add_trees(result, trees, self._files, self._report).items():
            self._generated |= {("files", path): origin, ("links", path): origin}
        for tree, origin in (
            (boot_device_tree(document.get("boot_device", {})), ("boot_device",)),
            (grub_tree(document.get("grub", {}).get("users", [])), ("grub", "users")),
        ):
            self._note(tree, origin)
            result = merge_trees(tree, result)
        self._report.raise_errors(source)
        self._judge(result, own)
        return IgnitionConfig.from_dict(result)

    def _target(self) -> SpecVersion:
        """Return the Ignition version to write: that of the spec, or a later one that NestOS's own tests rely
        on.
        """
        if (self._spec.variant, self._spec.version) != ("nestos", "1.0.0"):
            return self._spec.ignition
        target = self._spec.ignition
        for shape, entry, path in visit(self._document, DOCUMENT, ()):
            if shape.name in ("resource", "reference") and entry.get("source", "").startswith("arn:"):
                target = _FIRST_WITH_ARN
                message = (
                    f"arn: URLs need Ignition {target}, which is written instead of {self._spec.ignition}"
                )
                self._report.tolerate((*path, "source"), message)
        return target

    def _with_mount_units(self, own: Object, storage: Object) -> Object:
        filesystems, luks = storage.get("filesystems", []), storage.get("luks", [])
        tree, sources = mount_units(filesystems, luks, knows_swap=self._spec.minor >= 3)
        for unit, index in zip(tree.get("systemd", {}).get("units", []), sources, strict=True):
            self._generated[("units", unit["name"])] = ("storage", "filesystems", index, "with_mount_unit")
        return merge_trees(tree, own)

    def _note(self, tree: Object, origin: Path) -> None:
        """Record `origin` as the source of all entries of a generated tree."""
        for kind, entries in tree.get("storage", {}).items():
            for entry in entries:
                struct = STORAGE.fields[kind].kind
                if isinstance(struct, Struct):
                    self._generated[(kind, struct.key(entry))] = origin

    def _judge(self, result: Object, own: Object) -> None:
        locator = Locator(result, own, self._generated)
        lines = self._report.lines
        for path, message in check_partitions(result.get("storage", {}).get("disks", []), self._spec):
            self._report.warning(locator.locate(path, lines), message)
        if self._spec.variant == "flatcar":
            for index, luks in enumerate(result.get("storage", {}).get("luks", [])):
                if luks.get("clevis"):
                    self._report.error(("storage", "luks", index, "clevis"), "Flatcar has no clevis")
        for finding in IgnitionConfig.from_dict(result).validate():
            self._report.add(finding, locator.locate(undotted(finding.path), lines))
