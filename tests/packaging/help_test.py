#!/usr/bin/env python3
"""Every command and option of `hubmirror --help-all` stands in the man page and in each completion, and these name no other.

README.md and docs/operations.md name no other either.

Usage: help_test.py PROGRAM REPOSITORY_ROOT
"""
import pathlib
import re
import shutil
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    helped = subprocess.run([program, "--help-all"], capture_output=True, text=True, check=False)
    if helped.returncode != 0:
        sys.exit(f"--help-all ended with {helped.returncode}: {helped.stderr}")
    options = set(OPTION.findall(helped.stdout)) | {"--help"}
    if len(options) < 12:
        sys.exit(f"--help-all shows only {sorted(options)}")
    problems = []

    man = (root / "packaging/man/hubmirror.1").read_text(encoding="utf-8").replace("\\-", "-")
    # fish writes "-l name", and the others "--name".
    fish_text = (root / "packaging/completions/hubmirror.fish").read_text()
    fish = " ".join("--" + name for name in re.findall(r"^complete .*? -l ([a-z][a-z0-9-]+)", fish_text, re.M))
    texts = {
        "packaging/man/hubmirror.1": man,
        "packaging/completions/hubmirror.bash": (root / "packaging/completions/hubmirror.bash").read_text(),
        "packaging/completions/_hubmirror": (root / "packaging/completions/_hubmirror").read_text(),
        "packaging/completions/hubmirror.fish": fish,
    }
    for path, text in texts.items():
        named = set(OPTION.findall(text))
        problems += [f"{path} lacks {option}" for option in sorted(options - named)]
        problems += [f"{path} names {option}, which the program does not have" for option in sorted(named - options)]

    commands = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
    commands = re.findall(r"^  ([a-z]+)  ", commands.split("ommands:", 1)[-1], re.M)
    if len(commands) < 10:
        problems.append(f"--help shows only the commands {commands}")
    completions = {path: text for path, text in texts.items() if "completions" in path} | {"packaging/completions/hubmirror.fish": fish_text}
    for command in commands:
        if not re.search(rf"^\.(?:B|BR|BI) {command}\b", man, re.M):
            problems.append(f"packaging/man/hubmirror.1 lacks the command {command}")
        problems += [f"{path} lacks the command {command}" for path, text in completions.items() if not re.search(rf"\b{command}\b", text)]

    for document in ("README.md", "docs/operations.md"):
        for line in (root / document).read_text(encoding="utf-8").splitlines():
            if "hubmirror " not in line:
                continue
            for option in OPTION.findall(line.split("hubmirror ", 1)[1]):
                if option not in options and "cmake" not in line:
                    problems.append(f"{document} names {option}, which the program does not have")

    if shutil.which("bash"):
        done = subprocess.run(["bash", "-n", str(root / "packaging/completions/hubmirror.bash")], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            problems.append(done.stderr)
    if shutil.which("man"):
        command = ["man", "--warnings", "-E", "UTF-8", "-P", "cat", "-l", str(root / "packaging/man/hubmirror.1")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or done.stderr:
            problems.append(f"man warns: {done.stderr}")

    for problem in problems:
        print(problem)
    print(f"{len(options)} options, {len(commands)} commands, {len(problems)} problems")
    sys.exit(1 if problems else 0)


main()
