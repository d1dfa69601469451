"""`terrace simulate`, run as an operator runs it.

python3 tests/cli/simulate_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import json
import sys
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import Case, main

FIELDS = {"policy", "capacity_blocks", "accesses", "unique_blocks", "hit_ratio", "prefix_hit_ratio"}


class SimulateCase(Case):
    def trace(self, *prompts: list[int], name: str = "trace.jsonl") -> Path:
        """A Mooncake trace, one request an hour."""
        path = self.folder / name
        lines = ({"timestamp": i * 3_600_000, "hash_ids": ids} for i, ids in enumerate(prompts))
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    def chat(self) -> Path:
        """Four conversations of five turns in turn, which share a head."""
        prompts = []
        for turn in range(5):
            for talk in range(1, 5):
                prompts.append([0, *(talk * 100 + i for i in range(3 * (turn + 1)))])
        return self.trace(*prompts)

    def rows(self, trace: Path, *more: object) -> list[dict[str, Any]]:
        return self.run_json("simulate", "--trace", trace, "--format", "mooncake", *more)["rows"]

    def says(self, trace: object, *more: object, says: tuple[str, ...], kind: str = "mooncake") -> None:
        self.refused("simulate", "--trace", trace, "--format", kind, *more, says=says)


class Answers(SimulateCase):
    def test_row_has_what_the_trace_gives_under_lru(self) -> None:
        (row,) = self.rows(self.trace([1, 2], [1, 2, 3], [4], [1, 2, 3]), "--capacity-blocks", 3)
        self.assertLessEqual(FIELDS, set(row))
        self.assertEqual(("lru", 3, 9, 4), tuple(row[name] for name in
                                                 ("policy", "capacity_blocks", "accesses", "unique_blocks")))
        self.assertAlmostEqual(4 / 9, row["hit_ratio"])
        self.assertAlmostEqual(4 / 9, row["prefix_hit_ratio"])
        self.assertEqual(5, row["blocks_written"])
        self.assertAlmostEqual(40, row["blocks_written_per_day"])  # 5 in 3 hours
        self.assertIsNone(row["bytes_written_per_day"])

    def test_policies_repeated_or_listed_give_a_row_for_each_size(self) -> None:
        trace = self.chat()
        sizes = ("--capacity-blocks", "5,20")
        listed = self.rows(trace, "--policy", "lru,two_class", *sizes)
        repeated = self.rows(trace, "--policy", "lru", "--policy", "two_class", *sizes)
        expected = [("lru", 5), ("lru", 20), ("two_class", 5), ("two_class", 20)]
        for rows in (listed, repeated):
            self.assertEqual(expected, [(row["policy"], row["capacity_blocks"]) for row in rows])
        self.assertEqual([row["prefix_hits"] for row in listed], [row["prefix_hits"] for row in repeated])

    def test_bounds_are_policies_to_ask_for(self) -> None:
        names = "lru,two_class,optimum,unbounded"
        rows = self.rows(self.chat(), "--policy", names, "--capacity-blocks", 20)
        lru, two_class, optimum, unbounded = (row["prefix_hit_ratio"] for row in rows)
        self.assertLessEqual(max(lru, two_class), optimum)
        self.assertLessEqual(optimum, unbounded)

    def test_share_of_the_trace_is_a_size(self) -> None:
        rows = self.rows(self.trace(list(range(200))), "--capacity-blocks", "1%,12.5%")
        self.assertEqual([2, 25], [row["capacity_blocks"] for row in rows])
        rows = self.rows(self.trace(list(range(200))))
        self.assertEqual([2, 10, 20, 50], [row["capacity_blocks"] for row in rows])
        rows = self.rows(self.trace([1, 2]))
        self.assertEqual([1, 1, 1, 1], [row["capacity_blocks"] for row in rows])

    def test_disk_answers_what_l1_let_go_and_counts_bytes(self) -> None:
        trace = self.trace([1, 2], [3, 4], [1, 2])
        sizes = ("--capacity-blocks", 2, "--disk-blocks", "2,8", "--block-bytes", "1MiB")
        small, large = self.rows(trace, *sizes)
        self.assertEqual((2, 8), (small["disk_blocks"], large["disk_blocks"]))
        self.assertEqual((0, 2), (small["prefix_hits"], large["prefix_hits"]))
        l1, disk = large["tiers"]
        self.assertEqual(("l1", "disk"), (l1["tier"], disk["tier"]))
        self.assertEqual((0, 2), (l1["prefix_hits"], disk["prefix_hits"]))
        self.assertAlmostEqual(4 * 12 * (1 << 20), large["bytes_written_per_day"])  # 4 blocks in 2 hours
        self.assertEqual(large["bytes_written_per_day"], disk["bytes_written_per_day"])

    def test_larger_blocks_regroup_those_of_the_trace(self) -> None:
        trace = self.trace([1, 2, 3], [1, 2, 3, 4])
        (row,) = self.rows(trace, "--block-tokens", 1024, "--capacity-blocks", 9)
        self.assertEqual((4, 3, 1), (row["accesses"], row["unique_blocks"], row["prefix_hits"]))

    def test_chunks_hit_what_whole_prompts_do_when_all_fits(self) -> None:
        trace = self.chat()
        (whole,) = self.rows(trace, "--capacity-blocks", "100%")
        (chunks,) = self.rows(trace, "--capacity-blocks", "100%", "--chunk-blocks", 2)
        self.assertEqual(whole["prefix_hits"], chunks["prefix_hits"])

    def test_own_format_and_sessions_are_read(self) -> None:
        own = self.folder / "own.jsonl"
        own.write_text('{"seconds": 0, "blocks": [1, 2]}\n{"seconds": 1, "blocks": [1, 2, 3]}\n')
        document = self.run_json("simulate", "--trace", own, "--format", "terrace")
        self.assertEqual((2, 5, None), tuple(document["trace"][name] for name in
                                             ("requests", "accesses", "block_tokens")))
        sessions = self.folder / "sessions"
        sessions.mkdir()
        for name in ("a", "b"):
            requests = [{"t": 0, "hash_ids": [1, 2]}, {"t": 5, "requests": [{"t": 1, "hash_ids": [1]}]}]
            session = {"block_size": 64, "requests": requests}
            (sessions / f"{name}.json").write_text(json.dumps(session))
        arguments = ("simulate", "--trace", sessions, "--format", "coding-agent", "--session-interval", "20s")
        trace = self.run_json(*arguments)["trace"]
        names = ("requests", "accesses", "unique_blocks", "duration_seconds")
        self.assertEqual((4, 6, 4, 26.0), tuple(trace[name] for name in names))

    def test_text_is_a_table(self) -> None:
        done = self.run_cli("simulate", "--trace", self.chat(), "--format", "mooncake")
        text = done.stdout.decode()
        self.assertIn("20 requests over 19 h, 200 blocks of 512 tokens asked for, 61 different", text)
        self.assertRegex(text, r"\nPOLICY +CAPACITY BLOCKS +PREFIX HITS +WRITTEN A DAY +SECONDS\nlru +")

    def test_progress_is_drawn_on_a_terminal_only(self) -> None:
        trace = self.trace(*([i, i + 10_000] for i in range(200)))
        command = ("simulate", "--trace", trace, "--format", "mooncake")
        drawn = self.on_terminal(*command)
        self.assertRegex(drawn, r"simulate \[#*\.*\] +\d+ % \d+ requests of 800 requests")
        self.assertEqual(b"", self.run_cli(*command).stderr)


class Plot(SimulateCase):
    def test_plot_names_policies_and_bounds(self) -> None:
        plot = self.folder / "hits.svg"
        rows = self.rows(self.chat(), "--policy", "lru,two_class", "--plot", plot)
        self.assertEqual({"lru", "two_class"}, {row["policy"] for row in rows})
        texts = [element.text for element in xml.parse(plot).iter() if element.tag.endswith("text")]
        for word in ("lru", "two_class", "optimum", "unbounded", "Prefix hits, trace.jsonl"):
            self.assertIn(word, texts)

    def test_plot_that_cannot_be_written_is_named(self) -> None:
        plot = self.folder / "missing" / "hits.svg"
        self.says(self.chat(), "--plot", plot, says=(str(plot), "No such file"))


class BadTrace(SimulateCase):
    def test_bad_line_is_named_with_file_and_line(self) -> None:
        for line, reason in (("{", "not JSON"), ('{"timestamp": 1}', 'no "hash_ids"'),
                             ('{"timestamp": 1, "hash_ids": ["a"]}', '"hash_ids"[0] is "a"'),
                             ('{"timestamp": 1, "hash_ids": [9, 1]}', "an id names its whole prefix")):
            path = self.trace([1, 2])
            with path.open("a") as file:
                file.write(line + "\n")
            self.says(path, says=(f"{path}:2: ", reason))

    def test_missing_file_is_named(self) -> None:
        path = self.folder / "missing.jsonl"
        for kind in ("mooncake", "coding-agent", "terrace"):
            self.says(path, kind=kind, says=(str(path), "No such file"))

    def test_empty_trace_is_named(self) -> None:
        self.says(self.trace(), says=("trace.jsonl: no request",))


class BadQuestion(SimulateCase):
    def test_unknown_policy_lists_those_there_are(self) -> None:
        self.says(self.chat(), "--policy", "lru,fifo",
                  says=("--policy", "'fifo'", "lru, noop, two_class, optimum, unbounded"))

    def test_unknown_format_lists_those_there_are(self) -> None:
        self.says(self.chat(), kind="csv", says=("'csv'", "mooncake, coding-agent, terrace"))

    def test_size_that_is_none_is_named(self) -> None:
        for text in ("0", "x", "-3", "1.5", "5GB", "0%", "99999999999"):
            self.says(self.chat(), f"--capacity-blocks={text}", says=("--capacity-blocks", text))
            self.says(self.chat(), f"--disk-blocks=8,{text}", says=("--disk-blocks", text))

    def test_block_tokens_must_be_a_multiple(self) -> None:
        self.says(self.chat(), "--block-tokens", 700, says=("--block-tokens", "700", "512"))

    def test_block_bytes_and_interval_need_their_units_right(self) -> None:
        self.says(self.chat(), "--block-bytes", "big", says=("--block-bytes", "big"))
        self.says(self.chat(), "--session-interval", "soon", says=("--session-interval", "soon"))


if __name__ == "__main__":
    main()
