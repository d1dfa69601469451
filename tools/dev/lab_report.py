#!/usr/bin/env python3
"""Writes the report of ./dev test --lab: that of terrace-lab, row 15 completed by what the sanitizers said.

usage: lab_report.py LAB.json REPORT.json "PRESET passed failed"...

Row 15 has passed when the tests of asan and tsan passed, their lab programs ran rows 2, 8 and 11 clean, the
formats ran clean under MemorySanitizer, and files did not follow from what memory held before.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

BUILD = Path(__file__).resolve().parents[2] / "build"
SANITIZED = ("asan", "tsan")
ROWS_OWED = (2, 8, 11)
REPORT = re.compile(r"ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:|"
                    r"WARNING: MemorySanitizer|ERROR: LeakSanitizer")


def read(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def tested(row: dict[str, Any], preset: str, passed: int, failed: int) -> None:
    """The preset's tests."""
    row["figures"][f"{preset}_tests"] = passed
    if failed:
        row["figures"]["failed"] += failed
        row["failures"].append(f"{preset}: {failed} tests failed; replay: ./dev test --preset {preset}")


def sanitized(row: dict[str, Any], preset: str, build: Path) -> list[str]:
    """The preset's rows of the lab. Returns what was not run."""
    text = read(build / preset / "lab.json")
    rows = {one["row"]: one for one in json.loads(text)["rows"]} if text else {}
    for number, one in rows.items():
        row["figures"][f"{preset}_row_{number}_failed"] = one["figures"]["failed"] + one["wrong"]
        row["wrong"] += one["wrong"]
        row["figures"]["failed"] += one["figures"]["failed"]
        row["failures"] += [f"{preset}: {failure}" for failure in one["failures"]]
    row["figures"]["reports"] += len(REPORT.findall(read(build / preset / "lab.log")))
    ran = {number for number, one in rows.items() if one["skipped"] is None}
    return [f"{preset} row {number}" for number in ROWS_OWED if number not in ran]


def formats(row: dict[str, Any], build: Path) -> list[str]:
    text = read(build / "msan" / "formats.log")
    inputs = re.findall(r"^\w+: (\d+) inputs$", text, re.MULTILINE)
    row["figures"]["msan_inputs"] = sum(int(number) for number in inputs)
    row["figures"]["reports"] += len(REPORT.findall(text))
    if "FAILED" in text:
        row["figures"]["failed"] += 1
        row["failures"].append("msan: a format; replay: build/msan/fuzz/terrace-fuzz --target=...")
    return [] if text else ["msan"]


def complete(report: dict[str, Any], tests: list[str], build: Path = BUILD) -> None:
    row = next((one for one in report["rows"] if one["row"] == 15), None)
    if row is None:
        return
    row["figures"] |= {"reports": 0}
    counts = {name: (int(passed), int(failed)) for name, passed, failed in (test.split() for test in tests)}
    missing = []
    for preset in SANITIZED:
        if preset in counts:
            tested(row, preset, *counts[preset])
        else:
            missing.append(f"{preset} tests")
        if not report["quick"]:
            missing += sanitized(row, preset, build)
    missing += ["rows 2, 8, 11 and formats: only with --lab"] if report["quick"] else formats(row, build)
    clean = row["wrong"] == 0 and row["figures"]["failed"] == 0 and row["figures"]["reports"] == 0
    row["passed"] = clean and not missing
    row["skipped"] = f"not run: {', '.join(missing)}" if clean and missing else None


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        report = json.loads(Path(arguments[0]).read_text())
        complete(report, arguments[2:])
        Path(arguments[1]).write_text(json.dumps(report, indent=2) + "\n")
    except (OSError, ValueError, KeyError) as error:
        print(f"lab_report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
