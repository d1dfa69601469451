"""`terrace bench`, run as an operator runs it, on small sizes: what the rows say, not how fast it was.

python3 tests/cli/bench_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import BIN, FAILED, Case, main

MIB = 1 << 20
SIZES = ("--bytes", "24MiB", "--block-bytes", "256KiB", "--l1", "8MiB")
STAGING = (*SIZES, "--rounds", 2, "--least-ratio", 0)
WRITE_BACK = ("--bytes", "2MiB", "--block-bytes", "300001", "--latency", "1ms", "--rounds", 2)


class BenchCase(Case):
    def bench(self, experiment: str, *more: object) -> Any:
        document = self.run_json("bench", experiment, "--dir", self.folder, *more)
        self.assertEqual([], list(self.folder.iterdir()))  # it leaves nothing behind
        return document


class BenchWriteBack(BenchCase):
    def test_second_query_is_local_with_write_back_only_on_every_path(self) -> None:
        document = self.bench("write-back", *WRITE_BACK)
        self.assertEqual((300001, 6 * 300001), (document["block_bytes"], document["bytes"]))
        expected = [(path, kept, "shared", "l1" if kept else "shared", 0)
                    for path in ("get", "get_async", "prefetch") for kept in (True, False)]
        names = ("path", "write_back", "first_source", "second_source", "wrong")
        self.assertEqual(expected, [tuple(row[name] for name in names) for row in document["rows"]])
        for row in document["rows"]:
            for query in ("first_ms", "second_ms"):
                self.assertLessEqual(0, row[f"{query}_min"])
                self.assertLessEqual(row[f"{query}_min"], row[query])
                self.assertLessEqual(row[query], row[f"{query}_max"])

    def test_text_is_a_table(self) -> None:
        text = self.run_cli("bench", "write-back", *WRITE_BACK, "--dir", self.folder).stdout.decode()
        self.assertIn("6 blocks of 293.0 KiB that another process stored", text)
        self.assertRegex(text, r"\nPATH +WRITE-BACK +FIRST MS")
        self.assertRegex(text, r"\nprefetch +no .* shared +shared\n")

    def test_progress_is_drawn_on_a_terminal_only(self) -> None:
        command = ("bench", "write-back", *WRITE_BACK, "--dir", self.folder)
        drawn = self.on_terminal(*command)
        self.assertRegex(drawn, r"write-back \[#*\.*\] +\d+ % \d+ questions? of 24 questions")
        self.assertEqual(b"", self.run_cli(*command).stderr)


class BenchStaging(BenchCase):
    def test_everything_stored_is_found_and_l1_stays_in_its_budget_and_ends_empty(self) -> None:
        document = self.bench("staging", *STAGING)
        self.assertEqual((96, 8 * MIB), (document["blocks"], document["l1_bytes"]))
        self.assertEqual(["mock", "disk"], [row["tier"] for row in document["rows"]])
        for row in document["rows"]:
            self.assertEqual((96, 96, 0), (row["blocks_stored"], row["blocks_found"], row["wrong"]))
            self.assertLess(0, row["l1_bytes_max"])
            self.assertLessEqual(row["l1_bytes_max"], 8 * MIB)
            self.assertEqual(0, row["l1_bytes_end"])
            self.assertLess(0, row["throughput_ratio_min"])
            self.assertLessEqual(row["throughput_ratio_min"], row["throughput_ratio"])
            self.assertLessEqual(row["throughput_ratio"], row["throughput_ratio_max"])

    def test_claim_that_does_not_hold_is_named_after_the_rows(self) -> None:
        arguments = ("bench", "staging", *SIZES, "--rounds", 1, "--dir", self.folder, "--least-ratio", 10,
                     "--json")
        done = self.run_cli(*arguments, exit_code=FAILED)
        self.assertEqual(2, len(json.loads(done.stdout)["rows"]))
        for tier in ("mock", "disk"):
            self.assertRegex(done.stderr.decode(), rf"terrace: {tier}: throughput is [0-9.]+ of that")

    def test_text_is_a_table(self) -> None:
        text = self.run_cli("bench", "staging", *STAGING, "--dir", self.folder).stdout.decode()
        self.assertIn("96 blocks of 256 KiB through an L1 of 8 MiB that only stages", text)
        self.assertRegex(text, r"\nTIER +STORED +FOUND +WRONG +L1 MAX +L1 END +GB/S")
        self.assertRegex(text, r"\ndisk +96 +96 +0 .* 0 B ")

    def test_interrupted_it_leaves_nothing_behind(self) -> None:
        command = [str(BIN), "bench", "staging", "--dir", str(self.folder), *SIZES, "--rounds", "1000"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as running:
            deadline = time.monotonic() + 60
            while not list(self.folder.iterdir()) and time.monotonic() < deadline:
                time.sleep(0.01)
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=120)
        self.assertEqual(-signal.SIGINT, running.returncode)
        self.assertEqual([], list(self.folder.iterdir()))


class BenchUsage(BenchCase):
    def says(self, *arguments: object, says: tuple[str, ...], **options: Any) -> None:
        self.refused("bench", *arguments, says=says, **options)

    def test_wrong_values_are_named(self) -> None:
        self.says("staging", "--bytes", "12parsecs", says=("--bytes", "12parsecs"))
        self.says("staging", "--bytes", "1MiB", "--block-bytes", "2MiB", says=("--bytes: 1 MiB",))
        self.says("staging", "--block-bytes", "1GiB", says=("--block-bytes: 1 GiB", "256 MiB"))
        self.says("staging", "--l1", "1MiB", says=("--l1", "4 MiB"))
        self.says("staging", "--l1", "32MiB", "--block-bytes", "17MiB", says=("--l1", "two of the largest"))
        self.says("staging", "--rounds", 0, says=("--rounds",))
        self.says("write-back", "--latency", "2", says=("--latency", "2"))
        self.says("write-back", "--bandwidth", "0", says=("--bandwidth",))

    def test_directory_that_is_not_there_or_too_full_is_named(self) -> None:
        missing = self.folder / "missing"
        for experiment in ("staging", "write-back"):
            self.says(experiment, "--dir", missing, says=(str(missing), "No such file"))
        # Of write-back, because staging refuses for want of memory first.
        free = os.statvfs(self.folder)
        bytes_ = f"{free.f_bavail * free.f_frsize // MIB}MiB"
        self.says("write-back", "--dir", self.folder, "--bytes", bytes_, "--block-bytes", "256MiB",
                  says=(str(self.folder), "are free", "are needed"), exit_code=FAILED)

    def test_group_names_its_experiments(self) -> None:
        self.says(says=("write-back, staging",))
        self.says("prefill", says=("unknown command 'bench prefill'", "write-back, staging"))
        for name in ("write-back", "staging"):
            text = self.run_cli("bench", name, "--help").stdout.decode()
            self.assertIn(f"terrace bench {name}\n", text)
            self.assertIn("Exit codes:", text)


if __name__ == "__main__":
    main()
