#!/usr/bin/env python3
"""Checks what no compiler checks: lengths, banned names, leftovers, machine paths, download hosts.

A warning says that a file or function probably holds two ideas; only errors fail the lint.
"""

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import cpp
import files

LINE_COLUMNS_MAX = 110
FILE_LINES_WARN, FILE_LINES_MAX = 500, 600
FUNCTION_LINES_WARN = 70
FILE_BYTES_MAX = 256 * 1024

CPP = {".h", ".cc", ".inc"}
CODE = CPP | {".py", ".sh", ".bash", ".cmake"}

# Written in pieces, so that these lists do not find themselves.
HOSTS = [".".join(parts) for parts in (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("crates", "io"),
    ("debian", "org"), ("huggingface", "co"),
)]
GITHUB = ".".join(("github", "com"))
GITHUB_REFERENCE = re.compile(re.escape(GITHUB) + r"/[\w.-]+/[\w.-]+/(issues|pull|discussions)/\d+")
LEFTOVERS = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")) + r")\b")
MACHINE_PATHS = re.compile(
    r"(?<![\w.})$*/-])/(" + "|".join(("wo" "rk", "ro" "ot", "tmp/bash" "_jobs")) + r")(/|(?=[\s\"'`,;:)]|$))"
)


@dataclass(frozen=True)
class Ban:
    pattern: re.Pattern[str]
    instead: str
    applies: Callable[[Path], bool] = lambda name: True


def _prints_nothing(name: Path) -> bool:
    if name == Path("src/base/assert.cc"):
        return False  # its last words before the abort
    return name.parts[0] in {"src", "include"} and name.parts[:2] != ("src", "cli")


BANS = [
    Ban(re.compile(r"\bstd::v?format\b|<format>"), "libstdc++ 12 has none; use fmt"),
    Ban(re.compile(r"\bstd::print(ln)?\b|<print>"), "libstdc++ 12 has none; use fmt"),
    Ban(re.compile(r"\bco_(await|yield|return)\b|<coroutine>"), "g++ 12 miscompiles it; use flow objects"),
    Ban(re.compile(r"\bassert\s*\(|<cassert>|<assert\.h>"), "use TERRACE_ASSERT, which stays on"),
    Ban(re.compile(r"\b(printf|puts|putchar)\s*\(|\bstd::(cout|cerr|clog)\b|<iostream>|\bfmt::print(ln)?\b"),
        "only src/cli prints; return a result or log", _prints_nothing),
]


@dataclass(frozen=True)
class Finding:
    name: Path
    line: int
    text: str
    fails: bool = True

    def __str__(self) -> str:
        return f"{self.name}:{self.line}: {'' if self.fails else 'warning: '}{self.text}"


def check_lines(name: Path, text: str) -> Iterator[Finding]:
    is_code = name.suffix in CODE or name.name in {"CMakeLists.txt", "dev", "run"}
    may_refer = name.suffix == ".md"
    for number, line in enumerate(text.split("\n"), 1):
        if is_code and len(line) > LINE_COLUMNS_MAX:
            yield Finding(name, number, f"{len(line)} columns; {LINE_COLUMNS_MAX} are allowed")
        if "\t" in line:
            yield Finding(name, number, "a tab; indent with spaces")
        if line != line.rstrip(" \r"):
            yield Finding(name, number, "space at the end of the line")
        if found := LEFTOVERS.search(line):
            yield Finding(name, number, f"'{found[0]}': finish it or open an issue")
        if found := MACHINE_PATHS.search(line):
            yield Finding(name, number, f"'{found[0]}' is a path of one machine")
        for host in HOSTS:
            if host in line:
                yield Finding(name, number, f"'{host}': name the package, not the host it comes from")
        rest = GITHUB_REFERENCE.sub("", line) if may_refer else line
        if GITHUB in rest:
            yield Finding(name, number, f"'{GITHUB}': only documents may name it, and only to cite an issue")
    if text and not text.endswith("\n"):
        yield Finding(name, text.count("\n") + 1, "no line end at the end of the file")


def check_length(name: Path, text: str) -> Iterator[Finding]:
    lines = text.count("\n")
    if name.suffix in CODE and lines > FILE_LINES_WARN:
        fails = lines > FILE_LINES_MAX
        limit = FILE_LINES_MAX if fails else FILE_LINES_WARN
        yield Finding(name, 1, f"{lines} lines, more than {limit}: it probably holds two ideas", fails)


NO_FUNCTION = re.compile(r"(namespace|struct|class|enum|extern|union|template)\b")


def _cpp_functions(text: str) -> Iterator[tuple[int, int]]:
    """First line and length of what looks like a function: namespace content is not indented here."""
    start = 0
    for number, line in enumerate(cpp.code_only(text).split("\n"), 1):
        if NO_FUNCTION.match(line):
            start = 0  # what came before was a constant of many lines
        elif line.startswith("};"):
            start = 0  # a table of constants
        elif re.match(r"[\w~:<\[]", line):
            start = start or number
        elif line.startswith("}"):
            if start:
                yield start, number - start + 1
            start = 0
        if start and line.rstrip().endswith((";", "}")) and not line.startswith((" ", "}")):
            start = 0


def _python_functions(text: str) -> Iterator[tuple[int, int]]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return  # the python check names it
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            yield node.lineno, node.end_lineno - node.lineno + 1


def check_functions(name: Path, text: str) -> Iterator[Finding]:
    find = _cpp_functions if name.suffix in CPP else _python_functions if name.suffix == ".py" else None
    for line, length in find(text) if find else ():
        if length > FUNCTION_LINES_WARN:
            yield Finding(name, line, f"a function of {length} lines probably holds two ideas", fails=False)


def check_bans(name: Path, text: str) -> Iterator[Finding]:
    if name.suffix not in CPP:
        return
    for number, line in enumerate(cpp.code_only(text).split("\n"), 1):
        for ban in BANS:
            if ban.applies(name) and (found := ban.pattern.search(line)):
                yield Finding(name, number, f"'{found[0].strip()}' is banned: {ban.instead}")
    if name.suffix == ".h" and "#pragma once" not in text and "#ifndef" not in text:
        yield Finding(name, 1, "a header without #pragma once")


def check_file(name: Path, content: bytes, executable: bool = False) -> Iterator[Finding]:
    if len(content) > FILE_BYTES_MAX:
        yield Finding(name, 1, f"{len(content)} bytes; {FILE_BYTES_MAX} are allowed")
    if content.startswith(b"#!") != executable:
        yield Finding(name, 1, "a first line of #! and the executable bit go together")
    if b"\0" in content[:8192] or name.parts[:2] == ("fuzz", "corpus"):
        return  # bytes, not text
    text = content.decode(errors="replace")
    for rule in (check_lines, check_length, check_functions, check_bans):
        yield from rule(name, text)


def check(root: Path) -> list[Finding]:
    found: list[Finding] = []
    for name in files.project_files(root):
        path = root / name
        found += check_file(name, path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def main() -> int:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--root", type=Path, default=files.ROOT, help="the repository")
    found = check(parser.parse_args().root)
    for finding in found:
        print(finding)
    return 1 if any(finding.fails for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main())
