#!/usr/bin/env python3
"""Reads every #include "folder/…" of the product and fails where the layer table does not allow it.

The table stands here and in docs/architecture.md; the test compares the two. There is no list of exceptions.
Usage: layers_test.py REPOSITORY_ROOT
"""
import pathlib
import re
import sys
import tempfile

# folder -> folders it may include besides itself. Base and config are open to all above them.
# "hub/wire" is a part of a folder: server/ speaks the same JSON as hub/ and may use nothing else of it.
ALLOWED = {
    "base": [],
    "config": ["base"],
    "net": ["base", "config"],
    "hub": ["base", "config", "net"],
    "storage": ["base", "config"],
    "mirror": ["base", "config", "net", "hub", "storage"],
    "provenance": ["base", "config", "storage"],
    "crawler": ["base", "config", "net", "hub", "storage", "mirror", "provenance"],
    "server": ["base", "config", "net", "hub/wire", "storage", "mirror", "provenance"],
    "app": ["base", "config", "net", "hub", "storage", "mirror", "provenance", "crawler", "server"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
SOURCE_SUFFIXES = {".hpp", ".cpp", ".h", ".c", ".inl", ".ipp"}


def allowed(folder, included):
    """True when a file of `folder` may include the path `included`."""
    head = included.split("/")[0]
    if head == folder:
        return True
    return any(included.startswith(entry + "/") for entry in ALLOWED[folder])


def violations(root):
    """All forbidden includes below `root`, as printable lines, and the number of includes looked at."""
    found, count = [], 0
    for folder in ALLOWED:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCE_SUFFIXES:
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                count += 1
                where = f"{path.relative_to(root)}:{number}"
                included = match.group(1)
                if included.split("/")[0] not in ALLOWED:
                    found.append(f'{where}: "{included}" is no path from the repository root below a folder of the product')
                elif not allowed(folder, included):
                    found.append(f"{where}: {folder}/ may not include {included}")
    return found, count


def documented_table(text):
    """The layer table of docs/architecture.md: rows of | layer | `folder/` | may include | … |."""
    table = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        match = re.fullmatch(r"`([a-z]+)/`", cells[1]) if len(cells) >= 3 else None
        if match:
            table[match.group(1)] = re.findall(r"`([a-z/]+?)/?`", cells[2])
    return table


def self_test():
    """Plants violations of every sort into a small tree and expects each to be found, and nothing else."""
    planted = {
        "base/a.hpp": ('#include "config/x.hpp"', True),                     # upward
        "storage/b.cpp": ('#include "hub/api.hpp"', True),                   # sideways
        "storage/b2.cpp": ('#include "net/url.hpp"', True),
        "provenance/c.cpp": ('  #  include "net/url.hpp"', True),            # audits reach no network
        "provenance/c2.hpp": ('#include "mirror/snapshot.hpp"', True),
        "mirror/git/d.cpp": ('#include "provenance/card.hpp"', True),
        "server/e.cpp": ('#include "hub/api.hpp"', True),
        "server/e2.cpp": ('#include "crawler/pipeline.hpp"', True),
        "app/f.cpp": ('#include "tests/support/fake.hpp"', True),            # product code never uses tests
        "hub/g.cpp": ('#include "api.hpp"', True),                           # not from the root
        "server/h.cpp": ('#include "hub/wire/tree.hpp"', False),
        "crawler/i.cpp": ('#include "provenance/record.hpp"', False),
        "net/j.cpp": ('#include <hub/api.hpp>\n// #include "hub/api.hpp"', False),
        "mirror/k.cpp": ('#include "mirror/git/fetch.hpp"\n#include "base/ids.hpp"', False),
    }
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, (text, _) in planted.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        found = {line.split(":")[0] for line in violations(root)[0]}
    expected = {name for name, (_, bad) in planted.items() if bad}
    if found != expected:
        sys.exit(f"self-test failed: not found {sorted(expected - found)}, found wrongly {sorted(found - expected)}")
    print(f"self-test: {len(expected)} planted violations found")


def main():
    root = pathlib.Path(sys.argv[1])
    self_test()
    found, count = violations(root)
    for line in found:
        print(line)
    documented = documented_table((root / "docs/architecture.md").read_text(encoding="utf-8"))
    for folder, may in ALLOWED.items():
        if sorted(documented.get(folder, ["(no row)"])) != sorted(may):
            found.append(folder)
            print(f"docs/architecture.md: {folder}/ may include {documented.get(folder)}, this test says {may}")
    print(f"{count} includes looked at, {len(found)} violations")
    if count == 0:
        sys.exit("no include was found at all: is the path right?")
    sys.exit(1 if found else 0)


main()
