"""The filters between all tests and those that run, in kola's order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from harness.errors import ConfigError
from harness.util.quote import quote
from harness.util.suggest import near
from kola.cases.model import Selector, TestInfo
from kola.cases.names import copy_name, original_name
from kola.select import glob, shard
from kola.select.denylist import Rulings, judge
from kola.select.selection import Chosen, Filtered, Selection, Stage

NEEDS_INTERNET = "needs-internet"
PLATFORM_INDEPENDENT = "platform-independent"
HOME_OF_THE_INDEPENDENT = "qemu"

QEMU_MACHINES = frozenset({"qemu", "libvirt"})
"""Platforms whose machines are QEMU's: a test for `qemu` runs on all of them."""

Filter = Callable[[TestInfo, Selection], str | None]


def select(tests: Iterable[TestInfo], options: Selection) -> Chosen:
    """Return the tests that run, and the reasons why the others do not.

    Raises ConfigError for a pattern that matches none of them, a malformed pattern, denylist or shard, and
    when no test applies here at all. It is not an error when all are denied.
    """
    registered = sorted(tests, key=lambda test: test.name)
    options = replace(options, patterns=originals(options.patterns, registered))
    require_matches(registered, options.patterns)
    rulings = judge(registered, options)
    applicable, filtered = apply(registered, options)
    if registered and not applicable:
        raise _nothing_applies(filtered)
    allowed = [test for test in applicable if test.name not in rulings.denied]
    filtered += [
        Filtered(test.name, Stage.DENYLIST, rulings.denied[test.name])
        for test in applicable
        if test.name in rulings.denied
    ]
    runs = multiply(allowed, options.multiply)
    recorded = options.durations
    durations = {run.name: recorded[origin.name] for run, origin in runs if origin.name in recorded}
    kept = shard.keep([run.name for run, _ in runs], options.sharding, durations)
    filtered += [
        Filtered(run.name, Stage.SHARD, f"belongs to another shard than {options.sharding}")
        for run, _ in runs
        if run.name not in kept
    ]
    runs = [(run, origin) for run, origin in runs if run.name in kept]
    return Chosen(
        tests=tuple(run for run, _ in runs),
        filtered=tuple(filtered),
        notices=rulings.notices,
        warn_on_failure=frozenset(run.name for run, origin in runs if _warns(origin, options, rulings)),
        console_warnings_only=rulings.console_warnings_only,
        origins={run.name: origin.name for run, origin in runs},
    )


def apply(
    tests: Iterable[TestInfo], options: Selection, *, skip: Collection[Stage] = ()
) -> tuple[list[TestInfo], list[Filtered]]:
    """Return the tests that pass every filter up to the firmware's, and the others with their reasons."""
    kept: list[TestInfo] = []
    filtered: list[Filtered] = []
    for test in tests:
        for stage, reason_of in _FILTERS.items():
            reason = None if stage in skip else reason_of(test, options)
            if reason is not None:
                filtered.append(Filtered(test.name, stage, reason))
                break
        else:
            kept.append(test)
    return kept, filtered


def require_matches(tests: Collection[TestInfo], patterns: Iterable[str]) -> None:
    """Raise ConfigError for the first pattern that matches no registered test."""
    names = [name for test in tests for name in test.names]
    for pattern in patterns:
        if any(glob.matches(pattern, name) for name in names):
            continue
        raise ConfigError(
            f"the pattern {quote(pattern)} matches no test",
            hint=_near_misses(pattern, names),
        )


def multiply(tests: Iterable[TestInfo], times: int) -> list[tuple[TestInfo, TestInfo]]:
    """Return `times` copies of each test, named with a number from 0 and paired with the original."""
    if times <= 1:
        return [(test, test) for test in tests]
    return [(replace(test, name=copy_name(test.name, n)), test) for test in tests for n in range(times)]


def originals(patterns: Iterable[str], tests: Iterable[TestInfo]) -> tuple[str, ...]:
    """Replace patterns that are the name of a copy of a test by the test."""
    names = {name for test in tests for name in test.names}
    found = []
    for pattern in patterns:
        original = original_name(pattern)
        found.append(original if pattern not in names and original in names else pattern)
    return tuple(found)


def _no_net(test: TestInfo, options: Selection) -> str | None:
    if options.no_net and NEEDS_INTERNET in test.tags:
        return f"is tagged {NEEDS_INTERNET}, and --no-net was given"
    return None


def _excluded_tag(test: TestInfo, options: Selection) -> str | None:
    unwanted = sorted(options.unwanted_tags & test.tags)
    return f"is tagged {unwanted[0]}, and --tag '!{unwanted[0]}' was given" if unwanted else None


def _bank(test: TestInfo, options: Selection) -> str | None:
    if options.bank and test.required_tag != options.bank:
        return f"is no {options.bank} test"
    return None


def _required_tag(test: TestInfo, options: Selection) -> str | None:
    if test.required_tag in (None, "", options.bank) or test.name in options.granted:
        return None
    if test.required_tag not in options.wanted_tags:
        return f"runs only with --tag {test.required_tag}"
    return None


def _pattern(test: TestInfo, options: Selection) -> str | None:
    tagged = bool(options.wanted_tags & test.tags) or test.required_tag in options.wanted_tags
    if options.typed_patterns:
        if tagged or any(glob.matches_any(options.typed_patterns, name) for name in test.names):
            return None
        return "matches neither a pattern nor a tag that was asked for"
    if options.wanted_tags and not tagged:
        return f"has no tag of {', '.join(sorted(options.wanted_tags))}"
    return None


def _platform_independent(test: TestInfo, options: Selection) -> str | None:
    if options.run_platform_independent or PLATFORM_INDEPENDENT not in test.tags:
        return None
    if options.platform is None or options.platform in QEMU_MACHINES:
        return None
    return (
        f"is {PLATFORM_INDEPENDENT}, which is proved on {HOME_OF_THE_INDEPENDENT}"
        " unless --run-platform-independent is given"
    )


def _platform(test: TestInfo, options: Selection) -> str | None:
    # A platform-independent test runs on qemu whatever else it lists; its exclusions still count.
    selector = test.platforms
    independent = PLATFORM_INDEPENDENT in test.tags and not options.run_platform_independent
    if independent and not selector.exclude:
        return None
    reasons = [_refusal(selector, word, "platform") for word in _words_for(options.platform)]
    if selector.exclude:
        return next((reason for reason in reasons if reason is not None), None)
    return reasons[0] if all(reasons) else None


def _words_for(platform: str | None) -> list[str | None]:
    """Return the words by which a test may mean this platform."""
    return [platform, *(["qemu"] if platform in QEMU_MACHINES and platform != "qemu" else [])]


def _architecture(test: TestInfo, options: Selection) -> str | None:
    return _refusal(test.architectures, options.architecture, "architecture")


def _distro(test: TestInfo, options: Selection) -> str | None:
    # An alias only adds tests: a test that is excluded on the alias may still run on the distro itself.
    if any(test.distros.allows(alias) for alias in options.also_distros):
        return None
    return _refusal(test.distros, options.distro, "distro")


def _feature(test: TestInfo, options: Selection) -> str | None:
    missing = next((feature for feature in test.needs if feature in options.absent), None)
    return f"needs {missing}: {options.absent[missing]}" if missing is not None else None


def _firmware(test: TestInfo, options: Selection) -> str | None:
    if options.platform not in QEMU_MACHINES:
        return None
    return _refusal(test.firmware, options.firmware, "firmware")


_FILTERS: dict[Stage, Filter] = {
    Stage.NO_NET: _no_net,
    Stage.EXCLUDED_TAG: _excluded_tag,
    Stage.BANK: _bank,
    Stage.REQUIRED_TAG: _required_tag,
    Stage.PATTERN: _pattern,
    Stage.PLATFORM_INDEPENDENT: _platform_independent,
    Stage.PLATFORM: _platform,
    Stage.ARCHITECTURE: _architecture,
    Stage.DISTRO: _distro,
    Stage.FEATURE: _feature,
    Stage.FIRMWARE: _firmware,
}


def _refusal(selector: Selector, word: str | None, what: str) -> str | None:
    if word is None or selector.allows(word):
        return None
    words = ", ".join(selector.words)
    return f"is not for {what} {words}" if selector.exclude else f"is for {what} {words}, not {word}"


def _warns(test: TestInfo, options: Selection, rulings: Rulings) -> bool:
    in_grace = test.grace_until is not None and options.today.isoformat() < test.grace_until
    return in_grace or test.name in rulings.warned


def _near_misses(pattern: str, names: list[str]) -> str:
    core = pattern.strip("*").casefold()
    likely = [name for name in names if core and core in name.casefold()]
    likely = likely or near(pattern, _families(pattern, names), count=3) or near(pattern, names, count=3)
    if likely:
        return f"did you mean {', '.join(likely[:3])}?"
    return "`kola list` shows every test; more test trees are added with -E DIR"


def _families(pattern: str, names: list[str]) -> set[str]:
    """Return the beginnings of `names`, with as many words and the same stars as a pattern `a.b.*`."""
    stem = pattern.rstrip("*").rstrip(".")
    if stem == pattern:
        return set()
    words = stem.count(".") + 1
    return {".".join(name.split(".")[:words]) + pattern[len(stem) :] for name in names}


def _nothing_applies(filtered: list[Filtered]) -> ConfigError:
    counted = Chosen(tests=(), filtered=tuple(filtered)).counts()
    account = ", ".join(f"{stage} {count}" for stage, count in counted.items())
    relevant = [one for one in filtered if one.stage is not Stage.PATTERN] or filtered
    example = f"{relevant[0].name} {relevant[0].reason}"
    return ConfigError(
        f"no test is left to run; filtered by {account}",
        hint=f"for example, {example}",
    )
