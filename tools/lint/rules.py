#!/usr/bin/env python3
"""Holds docs/semantics.md to the tests: each rule names test files that are there and cite it.

A cell of the column `tests` reads "`file`, `file`: NAME, NAME; ...": every one of these files must have a
test whose name holds one of the names. T5 has nothing to test yet and says so.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import files

PAGE = Path("docs/semantics.md")
ROW = re.compile(r"^\| \*\*(\w+)\*\* \|")
FILE = re.compile(r"`(\w+_test)(\.py)?`")
LATER = {"T5": "none yet"}


def test_names(path: Path) -> str:
    """The names of the tests of a C++ file, a line each; a Python file whole: it cites in comments too."""
    text = path.read_text(errors="replace")
    if path.suffix == ".py":
        return text
    return "\n".join(re.findall(r"TEST(?:_[FP])?\(\s*\w+,\s*(\w+)\)", text))


def check_cell(rule: str, cell: str, known: dict[str, list[Path]]) -> list[str]:
    problems = []
    for group in cell.split(";"):
        named, _, wanted = group.rpartition(":")
        cited = FILE.findall(named)
        if not cited:
            problems.append(f"{rule}: '{group.strip()}' names no test file and what it cites")
        for stem, suffix in cited:
            paths = known.get(stem + (suffix or ".cc"), [])
            tests = "\n".join(test_names(path) for path in paths)
            if not paths:
                problems.append(f"{rule}: there is no {stem}{suffix or '.cc'}")
            elif not any(name.strip() in tests for name in wanted.split(",")):
                problems.append(f"{rule}: no test of {stem} cites {wanted.strip()}")
    return problems


def check(root: Path) -> list[str]:
    known: dict[str, list[Path]] = {}
    for name in files.select(files.project_files(root), [".cc", ".py"], "", root):
        known.setdefault(name.name, []).append(root / name)
    problems, rules = [], 0
    for line in (root / PAGE).read_text().splitlines():
        if not (row := ROW.match(line)):
            continue
        rules += 1
        rule, cell = row[1], line.rstrip("| ").split("|")[-1].strip()
        if rule in LATER and cell.startswith(LATER[rule]):
            continue
        problems += check_cell(rule, cell, known)
    return problems if rules else [f"{PAGE}: no rules found"]


def main() -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--root", type=Path, default=files.ROOT, help="the repository")
    problems = check(parser.parse_args().root)
    for problem in problems:
        print(f"{PAGE}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
