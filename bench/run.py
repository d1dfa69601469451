#!/usr/bin/env python3
"""Measures Terrace beside its bare counterparts and rivals; docs/perf.md explains the rows.

Every row is a ratio of two sides that took turns in one run: median of at least five, with min and max.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from groups import GIB, GROUPS, Plan
from rows import NotRun, Row, markdown, table

ROOT = Path(__file__).resolve().parents[1]
FREE_BYTES_NEEDED = 22 * GIB


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0],
                                     epilog="groups: " + ", ".join(GROUPS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table of docs/perf.md there")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and bytes: about 4 minutes, not 15")
    parser.add_argument("--only", action="append", metavar="GROUP", help="only this group; may be repeated")
    parser.add_argument("--dir", type=Path, default=ROOT / "build/bench",
                        help="a directory on the disk to be measured (default: build/bench)")
    parser.add_argument("--io", choices=("uring", "psync", "both"), default="both",
                        help="engines of the disk rows")
    parser.add_argument("--programs", type=Path, default=ROOT / "build/bench/bench", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for name in arguments.only or ():
        if name not in GROUPS:
            parser.error(f"argument --only: no group '{name}'; one of: {', '.join(GROUPS)}")
    if not (arguments.programs / "terrace-bench").is_file():
        parser.error(f"{arguments.programs}/terrace-bench is missing; ./dev bench builds it")
    if not arguments.dir.is_dir():
        parser.error(f"argument --dir: no directory {arguments.dir}")
    free = shutil.disk_usage(arguments.dir).free
    if free < FREE_BYTES_NEEDED:
        needed = f"{FREE_BYTES_NEEDED / GIB:.0f} GiB are needed"
        parser.error(f"argument --dir: {free / GIB:.0f} GiB are free, {needed}")
    return arguments


def measure(plan: Plan, names: list[str]) -> list[Row | NotRun]:
    rows: list[Row | NotRun] = []
    for name in names:
        start = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = []
        for row in GROUPS[name](plan):
            found.append(row)
            line = table([row]).splitlines()[-1 if isinstance(row, NotRun) else 1]
            print(line, file=sys.stderr, flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        rows += found
    return rows


def main() -> int:
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the files are removed
    engines = ("uring", "psync") if arguments.io == "both" else (arguments.io,)
    directory = Path(tempfile.mkdtemp(prefix="scratch-", dir=arguments.dir))
    try:
        plan = Plan(arguments.programs, directory, engines, arguments.quick)
        rows = measure(plan, arguments.only or list(GROUPS))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows) + "\n")
    return 1 if any(isinstance(row, NotRun) for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
