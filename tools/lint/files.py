#!/usr/bin/env python3
"""The files of the project: tracked, or untracked and not ignored. Without git, all but build output."""

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT_FOLDERS = {".git", "build", ".cache", "__pycache__"}


def project_files(root: Path = ROOT) -> list[Path]:
    """Paths relative to `root`, sorted."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
        names = [Path(name.decode()) for name in listed.split(b"\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(root) for path in root.rglob("*")]
        names = [name for name in names if not OUTPUT_FOLDERS & set(name.parts)]
    return sorted({name for name in names if (root / name).is_file() and not (root / name).is_symlink()})


def shebang(path: Path) -> str:
    """`sh`, `python` or nothing: the family of the interpreter the first line names."""
    with path.open("rb") as file:
        first = file.readline(200)
    if not first.startswith(b"#!"):
        return ""
    if b"python" in first:
        return "python"
    return "sh" if first.rstrip().endswith(b"sh") else ""


def select(names: Iterable[Path], suffixes: list[str], interpreter: str, root: Path = ROOT) -> list[Path]:
    def wanted(name: Path) -> bool:
        return name.suffix in suffixes or bool(interpreter) and shebang(root / name) == interpreter

    return [name for name in names if wanted(name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suffixes", nargs="*", help="for example .h .cc")
    parser.add_argument("--shebang", default="", choices=["sh", "python"], help="also files it runs")
    parser.add_argument("--null", action="store_true", help="end each name with NUL")
    arguments = parser.parse_args()
    end = "\0" if arguments.null else "\n"
    for name in select(project_files(), arguments.suffixes, arguments.shebang):
        sys.stdout.write(f"{name}{end}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
