"""The stand-in for `qemu-img`: writes a qcow2 header and nothing behind it. Without imports, to be quick."""

import sys

MIB = 1 << 20
SIZE_AT = 24
MAGIC = b"QFI\xfb"
WITH_VALUE = ("-f", "-F", "-b", "-o")


def main(argv: list[str]) -> int:
    command, *rest = argv
    options: dict[str, str] = {}
    positional: list[str] = []
    words = iter(rest)
    for word in words:
        if word in WITH_VALUE:
            options[word] = next(words)
        elif not word.startswith("-"):
            positional.append(word)
    try:
        if command == "create":
            return create(options, positional)
        if command == "resize":
            return resize(positional)
    except OSError as error:
        return fail(f"{error.filename or positional[0]}: {error.strerror}")
    return fail(f"Command not found: {command}")


def fail(message: str) -> int:
    print(f"qemu-img: {message}", file=sys.stderr)
    return 1


def create(options: dict[str, str], positional: list[str]) -> int:
    size = int(positional[1]) if len(positional) > 1 else 10 * MIB
    if "-b" in options:
        with open(options["-b"], "rb") as backing:  # noqa: PTH123
            head = backing.read(32)
        if options.get("-F") == "qcow2":
            if head[:4] != MAGIC:
                return fail(
                    f"{positional[0]}: Could not open '{options['-b']}': Image is not in qcow2 format"
                )
            size = int.from_bytes(head[SIZE_AT:32], "big")
    header = MAGIC + (3).to_bytes(4, "big") + bytes(16) + size.to_bytes(8, "big")
    with open(positional[0], "r+b") as image:  # noqa: PTH123
        image.write(header.ljust(512, b"\0"))
    return 0


def resize(positional: list[str]) -> int:
    path, wanted = positional
    with open(path, "r+b") as image:  # noqa: PTH123
        image.seek(SIZE_AT)
        old = int.from_bytes(image.read(8), "big")
        new = old + int(wanted[1:]) if wanted.startswith("+") else int(wanted)
        if new < old:
            return fail("Use the --shrink option to perform a shrink operation.")
        image.seek(SIZE_AT)
        image.write(new.to_bytes(8, "big"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
