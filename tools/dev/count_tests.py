#!/usr/bin/env python3
"""Prints `PASSED FAILED NAMES...` of one ctest run, from its JUnit report and its exit status.

Skipped and disabled tests are neither. A run that failed without a failed test (nothing to run, a test
program that is missing, no report at all) counts as one failure, so that it cannot look clean. NAMES are
those of the failed tests, at most the first ten.
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

NAMES_MOST = 10


def count(report: Path, status: int) -> tuple[int, int, list[str]]:
    passed, failed, names = 0, 0, []
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
        for case in cases:
            passed += case.get("status") == "run"
            if case.get("status") == "fail":
                failed += 1
                names.append(case.get("name", "?"))
    except (OSError, ElementTree.ParseError):
        status = status or 1
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed, names


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdigit():
        print("usage: count_tests.py REPORT.xml CTEST_STATUS", file=sys.stderr)
        sys.exit(2)
    passed, failed, names = count(Path(sys.argv[1]), int(sys.argv[2]))
    print(passed, failed, *names[:NAMES_MOST])
