#!/usr/bin/env python3
"""Prints `PASSED FAILED` of one ctest run, from its JUnit report and its exit status.

Skipped and disabled tests are neither. A run that failed without a failed test (nothing to run, a test
program that is missing, no report at all) counts as one failure, so that it cannot look clean.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count(report: Path, status: int) -> tuple[int, int]:
    passed = failed = 0
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
        for case in cases:
            passed += case.get("status") == "run"
            failed += case.get("status") == "fail"
    except (OSError, ElementTree.ParseError):
        status = status or 1
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdigit():
        print("usage: count_tests.py REPORT.xml CTEST_STATUS", file=sys.stderr)
        sys.exit(2)
    print(*count(Path(sys.argv[1]), int(sys.argv[2])))
