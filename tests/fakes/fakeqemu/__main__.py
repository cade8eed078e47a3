"""The stand-in's entry: what QEMU would do with this command line, without a guest."""

from __future__ import annotations

import sys

from fakeqemu import arguments


def main(argv: list[str]) -> int:
    try:
        given = arguments.parse(argv)
    except arguments.BadUsage as error:
        return fail(str(error))
    if given.probe_exit:
        return probe(given.accelerator)
    # The probe above is to cost next to nothing; these modules do.
    from fakeqemu import emulator, plan

    steering = plan.load()
    if steering.exit_at_start is not None:
        sys.stderr.write(steering.exit_at_start.stderr)
        return steering.exit_at_start.status
    emulator.run(given, steering)
    return 0


def fail(message: str) -> int:
    print(f"qemu-system-x86_64: {message}", file=sys.stderr)
    return 1


def probe(accelerator: str) -> int:
    """The harness asks whether a tiny guest runs here; it does, but not with KVM."""
    return fail("failed to initialize kvm: fake") if accelerator == "kvm" else 33


sys.exit(main(sys.argv[1:]))
