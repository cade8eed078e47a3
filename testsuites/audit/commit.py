"""Rules for /usr against the commit that was deployed."""

from __future__ import annotations

from testsuites.audit.finding import Finding
from testsuites.audit.record import Record


def committed(record: Record) -> list[Finding]:
    """Every file below /usr that is not as the booted commit has it: kind, mode, owner, size, object."""
    rule = "/usr is what was committed"
    replaced = set(record.lines("unlinked"))
    here = {
        file.path: file
        for file in record.files
        if file.path.startswith("/usr/") or (file.path == "/usr" and file.kind == "d")
    }
    if len(replaced) > len(here) // 2:
        replaced.clear()  # a deployment of copies, as on another file system
    # A list that ends at a missing object tells nothing of the files after it.
    broken = [line for line in record.lines("committed-errors") if line.strip()]
    found = [Finding("the repository has all of the commit", "ostree ls", f"says {line}") for line in broken]
    for path in sorted(here.keys() | record.committed.keys()):
        file, original = here.get(path), record.committed.get(path)
        if original is None and broken:
            continue
        if original is None:
            found.append(Finding(rule, path, "is not in the commit"))
        elif file is None:
            found.append(Finding(rule, path, "is in the commit, and not there"))
        elif (file.kind, file.mode, file.uid, file.gid) != (
            original.kind, original.mode, original.uid, original.gid,
        ):  # fmt: skip
            says = f"has mode {file.mode:o} and owner {file.uid}:{file.gid}, not {original.mode:o} and "
            found.append(Finding(rule, path, f"{says}{original.uid}:{original.gid}"))
        elif file.kind == "f" and file.size != original.size:
            found.append(Finding(rule, path, f"has {file.size} bytes, not {original.size}"))
        elif path in replaced:
            found.append(Finding(rule, path, "was replaced: it is no link to the repository's object"))
        elif file.kind == "l" and file.target != original.target:
            found.append(Finding(rule, path, f"leads to {file.target}, not {original.target}"))
        elif path in record.changed:
            found.append(Finding(rule, path, "was written since it was deployed"))
    return found


def commit_is_whole(record: Record) -> list[Finding]:
    """The booted commit's object has the checksum that names it."""
    words = " ".join(record.lines("commit")).split()
    if len(words) >= 2 and words[0] == words[1]:
        return []
    return [
        Finding("the commit is what its name says", (words or ["(none)"])[0][:12], "has another checksum")
    ]
