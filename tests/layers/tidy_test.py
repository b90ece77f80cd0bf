#!/usr/bin/env python3
"""The small rules of docs/developing.md that no compiler checks. No list of exceptions; each rule proves itself on planted text first.

Usage: tidy_test.py REPOSITORY_ROOT
"""
import pathlib
import re
import subprocess
import sys
import tempfile

PRODUCT = ["base", "config", "net", "hub", "storage", "mirror", "provenance", "crawler", "server", "app"]
LINES_MAX = 800
COLUMNS_MAX = 160
CODE_SUFFIXES = {".hpp", ".cpp"}
TEXT_SUFFIXES = CODE_SUFFIXES | {".py", ".sh", ".cmake", ".md", ".toml"}

# pattern, reason. Looked for in code without comments and strings.
BANNED_EVERYWHERE = [
    (r"\bstrcpy\s*\(|\bstrcat\s*\(|\bsprintf\s*\(|\bgets\s*\(", "writes without knowing the size of its target"),
    (r"\brand\s*\(\s*\)|\bsrand\s*\(", "no quality and hidden state: use std::mt19937_64 with a seed that is passed in"),
    (r"\bstd::regex\b", "recursive: a long hostile input overflows the stack"),
]
BANNED_IN_PRODUCT = [
    (r"\b(?:std::)?system\s*\(|\bpopen\s*\(", "starts a shell"),
    (r"\bthrow\b", "errors travel in hm::Result"),
    (r"\busing namespace std\b", "names of std arrive unseen"),
]
BANNED_OUTSIDE_APP = [
    (r"\bstd::c(?:out|err)\b|(?<![\w.>])printf\s*\(|\bfprintf\s*\(", "only app/ speaks to the terminal: return the text or log it"),
]
BANNED_IN_TESTS = [
    (r"\bsleep_for\b|\bsleep_until\b|\b(?:u|nano)sleep\s*\(|(?<!\w)::sleep\s*\(", "sleep and hope: wait for the event itself"),
]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
CRASH_POINT = re.compile(r'\bHM_CRASH_POINT\(\s*"([^"]+)"\s*\)')


def without_comments_and_strings(text):
    """C++ text with comments and literals blanked; line numbers stay."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def first_folder(path):
    return path.split("/")[0]


def code_rules(path, text):
    """Violations of one C++ file; `path` is relative to the root."""
    code = without_comments_and_strings(text)
    rules = list(BANNED_EVERYWHERE)
    if first_folder(path) in PRODUCT:
        rules += BANNED_IN_PRODUCT
        # A broken invariant says its last words by itself.
        if first_folder(path) != "app" and path != "base/check.cpp":
            rules += BANNED_OUTSIDE_APP
    if first_folder(path) == "tests":
        rules += BANNED_IN_TESTS
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, reason in rules:
            match = re.search(pattern, line)
            if match:
                yield f"{path}:{number}: {match.group(0).strip()}: {reason}"
    if path.endswith(".hpp"):
        if not text.startswith(f"// {path}: "):
            yield f'{path}:1: a header begins with "// {path}: what it is. Layer, threads."'
        if "#pragma once" not in text:
            yield f"{path}:1: no #pragma once"


def text_rules(path, text):
    """Violations of any text file."""
    suffix = pathlib.PurePath(path).suffix
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        yield f"{path}: {len(lines)} lines; more than {LINES_MAX} ask to be split"
    if text and not text.endswith("\n"):
        yield f"{path}:{len(lines)}: no newline at the end"
    for number, line in enumerate(lines, 1):
        if "\t" in line and suffix != ".md":
            yield f"{path}:{number}: a tab"
        if line != line.rstrip() and suffix != ".md":
            yield f"{path}:{number}: blanks at the end of the line"
        if suffix in CODE_SUFFIXES | {".py"} and len(line) > COLUMNS_MAX:
            yield f"{path}:{number}: {len(line)} columns; at most {COLUMNS_MAX}"
        if UNFINISHED.search(line) and path != "tests/layers/tidy_test.py":
            yield f"{path}:{number}: {UNFINISHED.search(line).group(1)}: finish it, or say in docs/ what is not there"


def unlisted_sources(root, files):
    """Sources that no CMakeLists.txt of their folder or of a folder above names: nobody builds them."""
    lists = {}
    for path in files:
        if path.endswith("CMakeLists.txt"):
            lists[str(pathlib.PurePath(path).parent)] = (root / path).read_text(encoding="utf-8")
    for path in files:
        if not path.endswith((".cpp", ".hpp")) or (path.endswith(".hpp") and first_folder(path) not in PRODUCT):
            continue
        pure = pathlib.PurePath(path)
        # A list may leave out what its loop adds: foreach(name url redirect) … ${name}_test.cpp
        short = re.sub(r"_(?:test|fuzz)$", "", pure.stem)
        for parent in pure.parents:
            folder = str(pure.parent.relative_to(parent)).replace(".", "")
            names = "|".join(re.escape(f"{folder}/{name}" if folder else name) for name in (pure.name, pure.stem, short))
            listed = lists.get(str(parent), "")
            if re.search(rf"(?<![\w/.])(?:{names})(?![\w.-])", listed) or (parent == pure.parent and f"*{pure.suffix}" in listed):
                break
        else:
            yield f"{path}: no CMakeLists.txt names it, so nobody builds it"


def broken_links(root, files):
    """Relative links of Markdown files that lead nowhere, and paths in backquotes that look like documents but are none."""
    for path in files:
        if not path.endswith(".md"):
            continue
        text = (root / path).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+:|#", target):
                    continue
                if not (root / path).parent.joinpath(target.split("#")[0]).exists():
                    yield f"{path}:{number}: link to {target} leads nowhere"
            for target in re.findall(r"`((?:docs|scripts|tests|packaging|cmake)/[\w./-]+)`", line):
                if not (root / target).exists():
                    yield f"{path}:{number}: {target} is not there"


def document_references(root, files):
    """Documents that code comments send their reader to."""
    for path in files:
        if not path.endswith((".cpp", ".hpp", ".py")) or path == "tests/layers/tidy_test.py":
            continue
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
            for target in re.findall(r"\bdocs/[\w./-]+\.md\b", line):
                if not (root / target).exists():
                    yield f"{path}:{number}: sends its reader to {target}, which is not there"


def own_header_first(root, files):
    """A source begins with the header of its name: that is what shows that the header stands alone (cmake/targets.cmake)."""
    for path in files:
        header = re.sub(r"\.cpp$", ".hpp", path)
        if header == path or header not in files or first_folder(path) not in PRODUCT:
            continue
        include = re.search(r'^#include (\S+)', (root / path).read_text(encoding="utf-8"), re.M)
        if not include or include.group(1) != f'"{header}"':
            yield f'{path}: its first include is not "{header}"'


def crash_points(root, files):
    """Names that kill, each documented; documented names, each alive."""
    used = {}
    for path in files:
        if first_folder(path) not in PRODUCT or not path.endswith((".cpp", ".hpp")):
            continue
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
            for name in CRASH_POINT.findall(line):
                used.setdefault(name, f"{path}:{number}")
    document = "docs/developing.md"
    text = (root / document).read_text(encoding="utf-8") if (root / document).exists() else ""
    listed = set(re.findall(r"^\| `([\w.-]+)` \| `[\w/.]+` \|", text, re.M))
    for name in sorted(used.keys() - listed):
        yield f'{used[name]}: crash point "{name}" has no row in {document}'
    for name in sorted(listed - used.keys()):
        yield f'{document}: crash point "{name}" is nowhere in the code'


def all_rules(root, files):
    for path in files:
        if pathlib.PurePath(path).suffix not in TEXT_SUFFIXES and pathlib.PurePath(path).name != "CMakeLists.txt":
            continue
        if path.startswith("tests/fuzz/seeds/"):
            continue
        text = (root / path).read_text(encoding="utf-8")
        yield from text_rules(path, text)
        if pathlib.PurePath(path).suffix in CODE_SUFFIXES:
            yield from code_rules(path, text)
    yield from unlisted_sources(root, files)
    yield from own_header_first(root, files)
    yield from broken_links(root, files)
    yield from document_references(root, files)
    yield from crash_points(root, files)


def self_test():
    """Each rule finds its planted violation, and a clean file is left alone."""
    planted = {
        "base/clean.hpp": '// base/clean.hpp: clean. Layer 0.\n#pragma once\n// system("x") in a comment, std::cout too\ninline const char* s = "popen(";\n',
        "base/clean.cpp": '#include "base/clean.hpp"\nchar c = \'"\'; int n = 1\'000; // "\nvoid f(Log& log) { log.printf(c); HM_CRASH_POINT("known"); }\n',
        "base/shell.cpp": 'void f() { system("ls"); }\n',
        "base/copy.cpp": "void f(char* a) { strcpy(a, a); }\n",
        "base/speaks.cpp": "void f() { std::cout << 1; }\n",
        "base/throws.cpp": "void f() { throw 1; }\n",
        "base/head.hpp": "#pragma once\n",
        "base/second.hpp": "// base/second.hpp: fine. Layer 0.\n#pragma once\n",
        "base/second.cpp": '#include <string>\n#include "base/second.hpp"\n',
        "base/long.cpp": "//" + "x" * COLUMNS_MAX + "\n",
        "base/unfinished.cpp": "// " + "TO" + "DO later\n",
        "base/tab.cpp": "\tint x;\n",
        "base/nobody.cpp": "int x;\n",
        "base/kills.cpp": 'void f() { HM_CRASH_POINT("unknown"); }\n',
        "base/sends.cpp": "// see docs/nowhere.md\n",
        "base/huge.cpp": "int x;\n" * (LINES_MAX + 1),
        "tests/unit/base/sleeps_test.cpp": "void f() { std::this_thread::sleep_for(1s); }\n",
        "base/CMakeLists.txt": "clean.cpp clean.hpp shell.cpp copy.cpp speaks.cpp throws.cpp head.hpp second.hpp second.cpp long.cpp "
                               "unfinished.cpp\n"
                               "foreach(name tab kills sends huge) ${name}.cpp\n",
        "tests/unit/base/CMakeLists.txt": "sleeps_test.cpp\n",
        "docs/developing.md": "| `known` | `base/clean.cpp` | x |\n| `gone` | `base/clean.cpp` | x |\n",
        "docs/link.md": "[x](developing.md) [y](nothing.md) [z](https://example.org/a)\n",
    }
    expected = {f"base/{name}.cpp" for name in "shell copy speaks throws second long unfinished tab nobody kills sends huge".split()}
    expected |= {"base/head.hpp", "tests/unit/base/sleeps_test.cpp", "docs/developing.md", "docs/link.md"}
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        for name, text in planted.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        lines = list(all_rules(root, sorted(planted)))
    found = {line.split(":")[0] for line in lines}
    if found != expected:
        wrongly = [line for line in lines if line.split(":")[0] not in expected]
        sys.exit(f"self-test failed: not found {sorted(expected - found)}, found wrongly {wrongly}")
    print(f"self-test: {len(expected)} planted violations found")


def tracked_files(root):
    """What git knows and what is new and not ignored; a source archive without .git is walked."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*") if not str(path.relative_to(root)).startswith(("build/", "."))]
    return sorted(name for name in set(names) if name and (root / name).is_file())


def main():
    root = pathlib.Path(sys.argv[1])
    self_test()
    files = tracked_files(root)
    found = list(all_rules(root, files))
    for line in found:
        print(line)
    print(f"{len(files)} files looked at, {len(found)} violations")
    if len(files) < 20:
        sys.exit("hardly any file was found: is the path right?")
    sys.exit(1 if found else 0)


main()
