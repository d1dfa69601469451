#!/usr/bin/env python3
"""The lint tools' own tests: each rule finds what it forbids and lets pass what it allows."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dev"))
import count_tests
import cpp
import lab_report
import layers
import rules
import tidy


class Tree(unittest.TestCase):
    """A small repository in a temporary folder (no git there: the walk is what is tested)."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/base/CMakeLists.txt", "terrace_layer(base LIBS fmt::fmt)\n")
        self.write("src/io/CMakeLists.txt", "terrace_layer(io DEPS base LIBS uring)\n")
        self.write("src/key/CMakeLists.txt", "terrace_layer(key\n  DEPS base\n  TEST_LIBS terrace_lab)\n")
        self.write("src/tier/CMakeLists.txt", "terrace_layer(tier DEPS base io  # no key\n)\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def problems(self, name: str, include: str) -> list[str]:
        self.write(name, f"// first line\n#include {include}\n")
        return layers.check(self.root)


class Layers(Tree):
    def test_include_that_points_up_fails_with_file_line_and_rule(self) -> None:
        (problem,) = self.problems("src/base/clock.h", '"tier/tier.h"')
        self.assertTrue(problem.startswith("src/base/clock.h:2: 'base' may not include 'tier'"), problem)
        self.assertIn("base < ", problem)

    def test_include_of_a_neighbour_fails(self) -> None:
        self.assertEqual(1, len(self.problems("src/io/uring.cc", '"key/key.h"')))

    def test_include_of_a_layer_missing_in_deps_fails(self) -> None:
        (problem,) = self.problems("src/tier/disk/disk.cc", '"key/key.h"')
        self.assertIn("not in DEPS of src/tier/CMakeLists.txt", problem)

    def test_includes_that_point_down_pass(self) -> None:
        for include in ('"base/a.h"', '"io/a.h"', '"tier/disk/a.h"', "<terrace/key.h>", "<vector>"):
            self.assertEqual([], self.problems("src/tier/disk/disk.cc", include), include)

    def test_src_may_not_include_what_stands_above_it(self) -> None:
        for include in ('"lab/kit/oracle.h"', '"bench/loop.h"', '"integrations/llama_cpp/kv.h"'):
            self.assertEqual(1, len(self.problems("src/key/key_test.cc", include)), include)

    def test_form_of_an_include_is_checked(self) -> None:
        for include in ('"a.h"', '"../base/a.h"', "<base/a.h>", '"terrace/key.h"', '"nowhere/a.h"'):
            self.assertEqual(1, len(self.problems("src/io/io.h", include)), include)

    def test_commented_include_is_none(self) -> None:
        self.write("src/base/a.h", '/*\n#include "tier/tier.h"\n*/\n// #include "tier/tier.h"\n')
        self.assertEqual([], layers.check(self.root))

    def test_public_headers_see_only_each_other_and_the_standard_library(self) -> None:
        for include in ("<terrace/key.h>", "<expected>", "<stdint.h>"):
            self.assertEqual([], self.problems("include/terrace/store.h", include), include)
        for include in ("<fmt/core.h>", '"base/result.h"', "<unistd.h>"):
            self.assertEqual(1, len(self.problems("include/terrace/store.h", include)), include)

    def test_lab_may_include_any_layer(self) -> None:
        self.assertEqual([], self.problems("lab/oracle.cc", '"tier/tier.h"'))

    def test_deps_that_point_up_fail(self) -> None:
        self.write("src/base/CMakeLists.txt", "terrace_layer(base DEPS store)\n")
        (problem,) = self.problems("src/base/a.h", "<vector>")
        self.assertIn("'base' may not depend on 'store'", problem)

    def test_linked_targets_count_as_deps(self) -> None:
        cmake = "target_link_libraries(terrace PRIVATE terrace_store terrace_flags)"
        layer = layers.parse_layer("cli", cmake)
        self.assertEqual({"store"}, layer.deps)

    def test_file_outside_a_layer_fails(self) -> None:
        self.assertEqual(1, len(self.problems("src/util/misc.h", "<vector>")))


class Rules(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / "store_rules_test.cc"
        path.write_text("TEST_F(StoreRules, S1_gives_buffers) {\n")
        self.known = {path.name: [path]}

    def test_a_cited_test_that_is_there_passes(self) -> None:
        self.assertEqual([], rules.check_cell("S1", "`store_rules_test`: S1", self.known))

    def test_a_missing_citation_a_missing_file_and_an_empty_cell_are_named(self) -> None:
        for cell, problem in (("`store_rules_test`: S2", "no test of store_rules_test cites S2"),
                              ("`other_test`: S1", "there is no other_test.cc"),
                              ("", "names no test file")):
            self.assertIn(problem, "".join(rules.check_cell("S1", cell, self.known)))


class Tidy(unittest.TestCase):
    def found(self, name: str, text: str, executable: bool = False) -> list[str]:
        return [f.text for f in tidy.check_file(Path(name), text.encode(), executable) if f.fails]

    def assert_found(self, count: int, name: str, line: str) -> None:
        found = self.found(name, line + "\n")
        self.assertEqual(count, len(found), f"{line!r}: {found}")

    def test_banned_names_fail(self) -> None:
        lines = ("std::format(1);", "#include <print>", "co_await x;", "  assert(x);", "#include <cassert>")
        for line in lines:
            self.assert_found(1, "src/io/a.cc", line)

    def test_words_that_contain_a_banned_name_pass(self) -> None:
        lines = ("static_assert(a);", "TERRACE_ASSERT(a);", "//assert(a)", 'f("co_await");', "snprintf(a);")
        for line in lines:
            self.assert_found(0, "src/io/a.cc", line)

    def test_only_the_cli_prints(self) -> None:
        self.assert_found(1, "src/store/a.cc", 'std::printf("x");')
        self.assert_found(0, "src/cli/a.cc", 'std::printf("x");')
        self.assert_found(0, "src/base/assert.cc", 'fmt::print(stderr, "x");')
        self.assert_found(0, "lab/a.cc", 'std::printf("x");')

    def test_layout_is_checked(self) -> None:
        self.assert_found(1, "src/io/a.cc", "\tint a;")
        self.assert_found(1, "src/io/a.cc", "int a;  ")
        self.assert_found(1, "src/io/a.cc", "//" + "a" * 109)
        self.assert_found(0, "docs/a.md", "a" * 200)
        self.assertEqual(1, len(self.found("src/io/a.cc", "int a;")))

    def test_leftovers_hosts_and_machine_paths_fail(self) -> None:
        url = "https://" + tidy.GITHUB + "/a/b"
        host = "curl https://" + tidy.HOSTS[0] + "/x"
        for line in ("# TO" "DO later", host, "cd /wo" "rk/main", "X=/ro" "ot/.x", "git clone " + url):
            self.assert_found(1, "tools/a.sh", line)
        for line in ("mktemp -d /tmp/a.XXXXXX", "cd build/wo" "rk/x", "the /workers", "${HOME}/wo" "rk/x"):
            self.assert_found(0, "tools/a.sh", line)

    def test_documents_may_refer_to_an_issue(self) -> None:
        self.assert_found(0, "docs/a.md", "[#1](https://" + tidy.GITHUB + "/a/b/issues/1)")
        self.assert_found(1, "docs/a.md", "https://" + tidy.GITHUB + "/a/b/releases")

    def test_long_file_warns_then_fails(self) -> None:
        self.assertEqual([], self.found("src/io/a.cc", "int a;\n" * 550))
        self.assertEqual(1, len(self.found("src/io/a.cc", "int a;\n" * 601)))

    def test_long_function_warns(self) -> None:
        body = "namespace a {\nint f(int b) {\n" + "  b++;\n" * 80 + "}\nint g() { return 1; }\n}  // a\n"
        found = list(tidy.check_file(Path("src/io/a.cc"), body.encode()))
        self.assertEqual([(2, False)], [(f.line, f.fails) for f in found])

    def test_fuzz_inputs_are_bytes(self) -> None:
        self.assert_found(0, "fuzz/corpus/trace/a", "\ta  ")
        self.assert_found(1, "fuzz/dictionaries/a.dict", "\ta")

    def test_large_file_fails(self) -> None:
        self.assertEqual(1, len(self.found("tests/golden.txt", ("a" * 99 + "\n") * 2700)))

    def test_executable_bit_and_first_line_go_together(self) -> None:
        self.assertEqual(1, len(self.found("tools/a.sh", "#!/bin/sh\n")))
        self.assertEqual(1, len(self.found("tools/a.sh", "true\n", executable=True)))
        self.assertEqual([], self.found("tools/a.sh", "#!/bin/sh\n", executable=True))


class Cpp(unittest.TestCase):
    def test_raw_strings_and_digit_separators_do_not_confuse(self) -> None:
        code = cpp.code_only('a = R"x(assert( ")x"; int b = 1\'000\'000; assert(b); char c = \'"\'; f();\n')
        self.assertIn("assert(b)", code)
        self.assertIn("f();", code)
        self.assertEqual(1, code.count("assert"))


class CountTests(unittest.TestCase):
    def count(self, report: str, status: int) -> tuple[int, int, list[str]]:
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(report)
            file.flush()
            return count_tests.count(Path(file.name), status)

    def test_skipped_tests_are_neither_passed_nor_failed(self) -> None:
        states = ("run", "run", "fail", "notrun", "disabled")
        cases = "".join(f'<testcase name="{state}" status="{state}"/>' for state in states)
        self.assertEqual((2, 1, ["fail"]), self.count(f"<testsuite>{cases}</testsuite>", 8))

    def test_failed_run_without_a_failed_test_counts_one(self) -> None:
        self.assertEqual((0, 1, []), self.count("<testsuite/>", 8))
        self.assertEqual((0, 1, []), self.count("not a report", 0))


class LabReport(unittest.TestCase):
    """Row 15 of the lab's report, completed by what the sanitizers said."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = Path(folder.name)
        for preset in ("asan", "tsan"):
            self.write(f"{preset}/lab.json", json.dumps({"rows": [self.row(n) for n in (2, 8, 11)]}))
        self.write("msan/formats.log", "record: 15 inputs\nsegment: 11 inputs\n")
        self.tests = ["dev 9 0", "asan 9 0", "tsan 9 0"]

    def write(self, name: str, text: str) -> None:
        (self.build / name).parent.mkdir(exist_ok=True)
        (self.build / name).write_text(text)

    @staticmethod
    def row(number: int, wrong: int = 0) -> dict[str, object]:
        return {"row": number, "figures": {"failed": 0}, "wrong": wrong, "failures": [], "skipped": None}

    def completed(self, quick: bool = False) -> dict[str, object]:
        report = {"quick": quick, "rows": [self.row(15)]}
        lab_report.complete(report, self.tests, self.build)
        return report["rows"][0]

    def test_row_15_passes_when_everything_ran_clean(self) -> None:
        row = self.completed()
        self.assertTrue(row["passed"])
        self.assertIsNone(row["skipped"])
        self.assertEqual(26, row["figures"]["msan_inputs"])

    def test_what_did_not_run_is_named_and_nothing_is_passed(self) -> None:
        self.write("tsan/lab.json", json.dumps({"rows": [self.row(2)]}))
        row = self.completed()
        self.assertFalse(row["passed"])
        self.assertEqual("not run: tsan row 8, tsan row 11", row["skipped"])
        self.assertFalse(self.completed(quick=True)["passed"])

    def test_failures_and_reports_of_sanitizers_fail_the_row(self) -> None:
        self.tests = ["asan 8 1", "tsan 9 0"]
        self.assertFalse(self.completed()["passed"])
        self.setUp()
        self.write("asan/lab.log", "==1==ERROR: AddressSanitizer: heap-use-after-free")
        self.assertFalse(self.completed()["passed"])
        self.setUp()
        self.write("tsan/lab.json", json.dumps({"rows": [self.row(2, wrong=1)]}))
        self.assertEqual(1, self.completed()["wrong"])


if __name__ == "__main__":
    unittest.main()
