"""The program `terrace`, run as an operator runs it.

python3 tests/cli/cli_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import BIN, DAMAGE, FAILED, MISS, SMALL, Case, content_of, digest_of, key_of, main, root_of


class RoundTrip(Case):
    def test_get_answers_what_put_stored_for_sizes_around_page_and_part_bounds(self) -> None:
        for size in (1, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1, 3_000_000):
            digest = self.put(("size", size), size)
            self.assertEqual(content_of(("size", size), size), self.get(digest), size)

    def test_key_is_re_rooted_by_K2(self) -> None:
        digest = self.put("a")
        self.assertEqual([key_of("model", digest)], list(self.places()))
        document = self.run_json("ls", self.store)
        self.assertEqual(root_of("model").hex(), document["namespaces"][0]["root"])

    def test_same_digest_in_two_namespaces_names_two_blocks(self) -> None:
        digest = digest_of("same")
        for name in ("one", "two"):
            file = self.file(name, 5000)
            self.run_cli("put", self.store, "--namespace", name, "--key", digest, file, "--capacity", SMALL)
        for name in ("one", "two"):
            self.assertEqual(content_of(name, 5000), self.get(digest, name))

    def test_upper_case_key_names_the_same_block(self) -> None:
        digest = self.put("a", 5000)
        self.assertEqual(content_of("a", 5000), self.get(digest.upper()))

    def test_output_file_is_replaced_whole(self) -> None:
        digest = self.put("a", 5000)
        output = self.folder / "out.bin"
        output.write_bytes(b"x" * 9000)
        document = self.run_json("get", self.store, "--namespace", "model", "--key", digest, "-o", output)
        self.assertEqual(content_of("a", 5000), output.read_bytes())
        self.assertEqual((True, 5000, "disk"), (document["found"], document["bytes"], document["source"]))
        self.assertEqual([], list(self.folder.glob("out.bin.*")))

    def test_put_of_a_stored_key_is_present(self) -> None:
        digest = self.put("a", 5000)
        arguments = ("put", self.store, "--namespace", "model", "--key", digest)
        document = self.run_json(*arguments, self.file("another", 5000))
        self.assertEqual((0, 1, 0), (document["stored"], document["present"], document["failed"]))
        self.assertEqual(content_of("a", 5000), self.get(digest))

    def test_block_of_256_MiB_and_one_larger_than_the_default_memory_s_segment(self) -> None:
        size = 256 << 20
        digest = digest_of("large")
        large = self.file("large", 1)
        pattern = content_of("large", 1 << 20)
        large.write_bytes(pattern * 256)
        self.run_cli("put", self.store, "--namespace", "m", "--key", digest, large, "--capacity", "20GiB")
        output = self.folder / "out.bin"
        self.run_cli("get", self.store, "--namespace", "m", "--key", digest, "-o", output)
        self.assertEqual(size, output.stat().st_size)
        with output.open("rb") as file:
            for _ in range(256):
                self.assertTrue(file.read(1 << 20) == pattern)

    def test_both_io_engines_read_what_the_other_wrote(self) -> None:
        for i, engine in enumerate(("psync", "auto")):
            self.put(i, 50_000)
            arguments = ("--namespace", "model", "--key", digest_of(i), "-o", "-", "--io", engine)
            self.assertEqual(content_of(i, 50_000), self.run_cli("get", self.store, *arguments).stdout)

    def test_names_of_namespaces_may_be_any_text(self) -> None:
        name = "modèle/чат 8B"
        digest = self.put("a", 5000, name)
        self.assertEqual(content_of("a", 5000), self.get(digest, name))
        self.assertEqual(name, self.run_json("ls", self.store)["namespaces"][0]["model_id"])
        self.assertIn(name, self.run_cli("ls", self.store).stdout.decode())


class Manifest(Case):
    def test_all_files_are_stored_and_found_again(self) -> None:
        path, digests = self.manifest(40, 70_000)
        document = self.put_manifest(path)
        self.assertEqual((40, 0, 0), (document["stored"], document["present"], document["failed"]))
        keys = [key_of("model", digest) for digest in digests]
        self.assertEqual(keys, [block["key"] for block in document["blocks"]])
        for i, digest in enumerate(digests):
            self.assertEqual(content_of(("manifest", i), 70_000), self.get(digest))

    def test_more_than_the_memory_holds_passes_through(self) -> None:
        path, digests = self.manifest(60, 1_000_000)
        document = self.put_manifest(path, "--l1", "8MiB")
        self.assertEqual((60, 0), (document["stored"], document["failed"]))
        self.assertEqual(content_of(("manifest", 0), 1_000_000), self.get(digests[0]))

    def test_comments_blank_lines_spaces_in_paths_and_standard_input(self) -> None:
        spaced = self.folder / "a file with spaces.bin"
        spaced.write_bytes(content_of("spaced", 9000))
        text = f"# files\r\n\n  \n{digest_of('spaced')}\t {spaced} \r\n"
        arguments = ("put", self.store, "--namespace", "model", "--manifest", "-", "--capacity", SMALL)
        document = self.run_json(*arguments, input=text.encode())
        self.assertEqual(1, document["stored"])
        self.assertEqual(content_of("spaced", 9000), self.get(digest_of("spaced")))

    def test_a_file_that_fails_is_named_and_the_others_go_on(self) -> None:
        path, digests = self.manifest(5, 6000)
        lines = path.read_text().splitlines()
        missing, empty = self.folder / "missing.bin", self.folder / "empty.bin"
        empty.touch()
        lines[1] = f"{digests[1]} {missing}"
        lines[3] = f"{digests[3]} {empty}"
        path.write_text("\n".join(lines))
        arguments = ("put", self.store, "--namespace", "model", "--manifest", path, "--capacity", SMALL)
        done = self.run_cli(*arguments, exit_code=FAILED)
        said = done.stderr.decode()
        self.assertIn(str(missing), said)
        self.assertIn(str(empty), said)
        self.assertIn(b"stored 3 ", done.stdout)
        self.assertEqual(3, len(self.places()))
        document = self.put_manifest(path, exit_code=FAILED)
        self.assertEqual((0, 3, 2), (document["stored"], document["present"], document["failed"]))
        errors = [block["error"]["code"] for block in document["blocks"] if block["state"] == "failed"]
        self.assertEqual(["not_found", "invalid_argument"], errors)

    def test_a_key_twice_is_one_block(self) -> None:
        path, digests = self.manifest(1, 6000)
        path.write_text(path.read_text() * 3)
        document = self.put_manifest(path)
        self.assertEqual((1, 2, 0), (document["stored"], document["present"], document["failed"]))
        self.assertEqual([key_of("model", digests[0])], list(self.places()))

    def test_chain_makes_each_line_the_parent_of_the_next(self) -> None:
        path, digests = self.manifest(4, 6000)
        self.put_manifest(path, "--chain")
        places = self.places()
        parents = [places[key_of("model", digest)]["parent"] for digest in digests]
        self.assertEqual([None] + [key_of("model", digest) for digest in digests[:3]], parents)

    def test_without_chain_every_block_is_a_head(self) -> None:
        path, _ = self.manifest(3, 6000)
        self.put_manifest(path)
        self.assertEqual([None] * 3, [block["parent"] for block in self.places().values()])

    def test_a_chain_ends_where_a_file_failed(self) -> None:
        path, digests = self.manifest(4, 6000)
        lines = path.read_text().splitlines()
        lines[1] = f"{digests[1]} {self.folder / 'missing.bin'}"
        path.write_text("\n".join(lines))
        document = self.put_manifest(path, "--chain", exit_code=FAILED)
        self.assertEqual((1, 0, 3), (document["stored"], document["present"], document["failed"]))

    def test_verbose_has_a_line_for_each_block(self) -> None:
        path, digests = self.manifest(3, 6000)
        arguments = ("put", self.store, "--namespace", "model", "--manifest", path, "--capacity", SMALL, "-v")
        lines = self.run_cli(*arguments).stdout.decode().splitlines()
        self.assertEqual({f"stored {d}" for d in digests}, {" ".join(line.split()[:2]) for line in lines[:3]})

    def test_a_store_smaller_than_what_is_put_stays_within_its_capacity(self) -> None:
        path, digests = self.manifest(120, 1_000_000)
        arguments = ("put", self.store, "--namespace", "model", "--manifest", path, "--capacity", "64MiB")
        document = self.run_json(*arguments)
        self.assertEqual((120, 0), (document["stored"], document["failed"]))
        used = sum(file.stat().st_blocks * 512 for file in self.store.rglob("*") if file.is_file())
        self.assertLessEqual(used, 64 << 20)
        kept = self.places()
        self.assertGreater(len(kept), 30)
        self.assertEqual(120 - len(kept), document["evicted"])
        self.assertIn(key_of("model", digests[-1]), kept)


class Miss(Case):
    def test_unknown_key_exits_3_with_the_reason_and_leaves_the_output_alone(self) -> None:
        self.put("a", 5000)
        output = self.folder / "out.bin"
        output.write_bytes(b"before")
        arguments = ("get", self.store, "--namespace", "model", "--key", digest_of("none"), "-o", output)
        self.refused(*arguments, says=("miss", digest_of("none"), "unknown"), exit_code=MISS)
        self.assertEqual(b"before", output.read_bytes())
        document = self.run_json(*arguments, exit_code=MISS)
        self.assertEqual((False, "unknown"), (document["found"], document["reason"]))

    def test_key_of_another_namespace_is_a_miss(self) -> None:
        digest = self.put("a", 5000)
        self.assertEqual(b"", self.get(digest, "other", exit_code=MISS))

    def test_damaged_block_is_a_miss_named_damaged(self) -> None:
        digest = self.put("a", 50_000)
        self.flip(self.places()[key_of("model", digest)], 4096 + 1234)
        arguments = ("get", self.store, "--namespace", "model", "--key", digest, "-o", "-")
        self.refused(*arguments, says=("miss", "damaged"), exit_code=MISS)

    def test_miss_makes_no_output_file(self) -> None:
        self.put("a", 5000)
        output = self.folder / "new.bin"
        arguments = ("get", self.store, "--namespace", "model", "--key", digest_of("none"), "-o", output)
        self.run_cli(*arguments, exit_code=MISS)
        self.assertFalse(output.exists())


class Listing(Case):
    def test_namespaces_with_their_blocks_and_bytes(self) -> None:
        self.put("a", 5000, "one")
        self.put("b", 6000, "one")
        self.put("c", 7000, "two")
        document = self.run_json("ls", self.store)
        one, two = root_of("one").hex(), root_of("two").hex()
        wanted = {("one", one, "cli", 2, 11000), ("two", two, "cli", 1, 7000)}
        fields = ("model_id", "root", "producer", "blocks", "bytes")
        found = {tuple(namespace[field] for field in fields) for namespace in document["namespaces"]}
        self.assertEqual(wanted, found)
        self.assertIn("one", self.run_cli("ls", self.store).stdout.decode())

    def test_blocks_are_where_ls_says(self) -> None:
        digest = self.put("a", 50_001)
        block = self.places()[key_of("model", digest)]
        self.assertEqual((50_001, 4096 + 53_248), (block["bytes"], block["record_bytes"]))
        self.assertEqual((["disk"], root_of("model").hex()), (block["where"], block["root"]))
        with open(block["file"], "rb") as file:
            file.seek(block["offset"] + 4096)
            self.assertEqual(content_of("a", 50_001), file.read(50_001))

    def test_blocks_of_one_namespace_by_name_and_by_root(self) -> None:
        self.put("a", 5000, "one")
        digest = self.put("b", 6000, "two")
        for wanted in ("two", root_of("two").hex()):
            document = self.run_json("ls", self.store, "--blocks", "--namespace", wanted)
            self.assertEqual([key_of("two", digest)], [block["key"] for block in document["blocks"]])
            self.assertEqual(["two"], [n["model_id"] for n in document["namespaces"]])
        text = self.run_cli("ls", self.store, "--blocks", "--namespace", "two").stdout.decode()
        self.assertIn(key_of("two", digest), text)

    def test_unknown_namespace_is_named(self) -> None:
        self.put("a", 5000, "one")
        self.refused("ls", self.store, "--namespace", "none", says=("none", "one"))

    def test_restart_keeps_everything(self) -> None:
        path, digests = self.manifest(20, 30_000)
        self.put_manifest(path)
        before = self.places()
        for _ in range(3):  # each opens, recovers and closes the store
            self.run_cli("stats", self.store)
        self.assertEqual(before, self.places())
        self.assertEqual(content_of(("manifest", 7), 30_000), self.get(digests[7]))

    def test_ls_changes_nothing(self) -> None:
        self.put("a", 5000)
        before = self.snapshot()
        self.places()
        self.assertEqual(before, self.snapshot())


class Scrub(Case):
    def test_sound_store_is_clean(self) -> None:
        path, _ = self.manifest(10, 30_000)
        self.put_manifest(path)
        document = self.run_json("scrub", self.store)
        self.assertEqual((10, 0, []), (document["blocks"], document["damaged"], document["damage"]))
        self.assertIn(b"no damage", self.run_cli("scrub", self.store).stdout)

    def test_flipped_byte_of_payload_or_header_is_found_and_listed(self) -> None:
        path, digests = self.manifest(10, 30_000)
        self.put_manifest(path)
        places = self.places()
        payload, header = places[key_of("model", digests[3])], places[key_of("model", digests[6])]
        self.flip(payload, 4096 + 29_999)
        self.flip(header, 40)
        before = self.snapshot()
        document = self.run_json("scrub", self.store, exit_code=DAMAGE)
        found = {d.get("key"): (d["file"], d["offset"]) for d in document["damage"]}
        self.assertEqual({b["key"]: (b["file"], b["offset"]) for b in (payload, header)}, found)
        self.assertEqual(2, document["damaged"])
        text = self.run_cli("scrub", self.store, exit_code=DAMAGE).stdout.decode()
        for block in (payload, header):
            self.assertIn(block["key"], text)
        self.assertEqual(before, self.snapshot(), "scrub never modifies anything")

    def test_damaged_block_does_not_harm_the_others(self) -> None:
        path, digests = self.manifest(4, 30_000)
        self.put_manifest(path)
        self.flip(self.places()[key_of("model", digests[1])], 4096)
        for i in (0, 2, 3):
            self.assertEqual(content_of(("manifest", i), 30_000), self.get(digests[i]))

    def test_truncated_data_file_is_listed(self) -> None:
        digest = self.put("a", 50_000)
        block = self.places()[key_of("model", digest)]
        os.truncate(block["file"], block["offset"] + 8192)
        document = self.run_json("scrub", self.store, exit_code=DAMAGE)
        self.assertIn(block["file"], {d["file"] for d in document["damage"]})

    def test_damaged_slot_entry_is_listed_with_its_key(self) -> None:
        path, digests = self.manifest(3, 30_000)
        self.put_manifest(path)
        key = key_of("model", digests[1])
        table = Path(self.places()[key]["file"]).with_suffix(".slots")
        content = bytearray(table.read_bytes())
        content[content.index(bytes.fromhex(key)) + 128] ^= 1  # the entry's length
        table.write_bytes(content)
        (found,) = self.run_json("scrub", self.store, exit_code=DAMAGE)["damage"]
        self.assertEqual((str(table), key), (found["file"], found["key"]))
        self.assertNotIn(key, self.places())

    def test_damaged_superblock_copies_are_listed_and_the_store_goes_on(self) -> None:
        path, digests = self.manifest(3, 30_000)
        self.put_manifest(path)
        superblock = self.store / "superblock"
        content = bytearray(superblock.read_bytes())
        for damaged in (1, 2):
            content[(damaged - 1) * 4096 + 100] ^= 1
            superblock.write_bytes(content)
            document = self.run_json("scrub", self.store, exit_code=DAMAGE)
            self.assertEqual([(str(superblock), 4096 * i) for i in range(damaged)],
                             [(found["file"], found["offset"]) for found in document["damage"]])
            self.assertEqual((3, damaged), (document["blocks"], document["damaged"]))
            self.assertEqual(3, len(self.places()))
        self.assertEqual(content_of(("manifest", 1), 30_000), self.get(digests[1]))
        self.assertEqual(0, self.run_json("scrub", self.store)["damaged"], "opening it rebuilt them")
        self.assertEqual(3, len(self.places()))

    def test_damaged_namespaces_are_listed_and_cost_only_names(self) -> None:
        digest = self.put("a", 5000)
        namespaces = self.store / "namespaces"
        content = bytearray(namespaces.read_bytes())
        content[20] ^= 1
        namespaces.write_bytes(content)
        (found,) = self.run_json("scrub", self.store, exit_code=DAMAGE)["damage"]
        self.assertEqual((str(namespaces), None), (found["file"], found["key"]))
        (listed,) = self.run_json("ls", self.store)["namespaces"]
        found = (listed["root"], listed["known"], listed["blocks"])
        self.assertEqual((root_of("model").hex(), False, 1), found)
        self.assertEqual(content_of("a", 5000), self.get(digest))

    def test_foreign_file_in_the_store_is_no_damage_and_stays(self) -> None:
        self.put("a", 5000)
        foreign = self.store / "notes.txt"
        foreign.write_text("mine")
        self.run_cli("scrub", self.store)
        self.put("b", 5000)
        self.assertEqual("mine", foreign.read_text())


class Stats(Case):
    def test_usage_and_engine_are_visible(self) -> None:
        self.put("a", 50_000)
        document = self.run_json("stats", self.store, "--io", "psync")
        names = [tier["name"] for tier in document["tiers"]]
        disk = document["tiers"][names.index("disk")]
        self.assertEqual((1, 256 << 20), (disk["blocks"], disk["capacity_bytes"]))
        self.assertIn("psync", disk["engine"])
        self.assertRegex(disk["engine"], "O_DIRECT|buffered")
        self.assertLessEqual(disk["used_bytes"], disk["allocated_bytes"])
        self.assertLessEqual(disk["allocated_bytes"], disk["capacity_bytes"])
        self.assertIn("damaged", document["misses"])
        text = self.run_cli("stats", self.store).stdout.decode()
        self.assertRegex(text, "uring|psync")
        self.assertIn("256 MiB", text)

    def test_X1_figures_of_tiers_and_namespaces(self) -> None:
        self.put("a", 50_000, "one")
        self.put("b", 60_000, "two")
        document = self.run_json("stats", self.store)
        for tier in document["tiers"]:
            self.assertEqual(0, sum(tier["misses"].values()) + sum(tier["drops"].values()))
            for latency in (tier["read_latency"], tier["write_latency"]):
                self.assertEqual({"count", "mean_us", "p50_us", "p90_us", "p99_us", "max_us"}, set(latency))
        by_model = {space["model_id"]: space for space in document["namespaces"]}
        self.assertEqual((1, 50_000), (by_model["one"]["blocks"], by_model["one"]["bytes"]))
        self.assertEqual((1, 60_000), (by_model["two"]["blocks"], by_model["two"]["bytes"]))
        self.assertEqual((0, 0), (by_model["two"]["keys"]["asked"], document["of_no_namespace"]["asked"]))
        text = self.run_cli("stats", self.store).stdout.decode()
        self.assertRegex(text, r"since this process opened the store:\nTIER +HITS +MISSES +LOADS")
        self.assertIn("keys: 0 asked, 0 delivered, 0 missed", text)
        self.assertIn(root_of("two").hex(), text)

    def test_capacity_is_kept_by_the_store(self) -> None:
        self.put("a", 5000)
        self.put("b", 5000)  # without --capacity
        disk = self.run_json("stats", self.store)["tiers"][1]
        self.assertEqual(256 << 20, disk["capacity_bytes"])


class Lookup(Case):
    def test_prefix_ends_at_the_first_hole(self) -> None:
        path, digests = self.manifest(4, 5000)
        self.put_manifest(path)
        keys = digests[:2] + [digest_of("hole")] + digests[2:]
        arguments = ("lookup", self.store, "--namespace", "model", "--key", *keys)
        document = self.run_json(*arguments, exit_code=MISS)
        self.assertEqual((5, 2), (document["asked"], document["found"]))
        self.assertEqual([["disk"], ["disk"]], [key["where"] for key in document["keys"][:2]])
        reasons = [key["reason"] for key in document["keys"][2:]]
        self.assertEqual(["unknown", "behind_hole", "behind_hole"], reasons)
        self.assertIn("found 2 of 5", self.run_cli(*arguments, exit_code=MISS).stdout.decode())

    def test_all_keys_there_exits_0(self) -> None:
        path, digests = self.manifest(3, 5000)
        self.put_manifest(path)
        repeated = [argument for digest in digests for argument in ("--key", digest)]
        document = self.run_json("lookup", self.store, "--namespace", "model", *repeated)
        self.assertEqual(3, document["found"])


class Crash(Case):
    def test_what_was_acknowledged_before_kill_9_is_found(self) -> None:
        path, digests = self.manifest(600, 120_000)
        contents = {digest: content_of(("manifest", i), 120_000) for i, digest in enumerate(digests)}
        acknowledged: set[str] = set()
        for wanted in (5, 90, 250):
            acknowledged |= self.put_and_kill(path, wanted)
            self.run_cli("scrub", self.store)
            places = self.places()
            for digest in acknowledged:
                self.assertIn(key_of("model", digest), places)
            for digest in list(acknowledged)[:40]:
                self.assertEqual(contents[digest], self.get(digest))
        self.put_manifest(path)
        for digest in digests[::37]:
            self.assertEqual(contents[digest], self.get(digest))

    def put_and_kill(self, manifest: Path, wanted: int) -> set[str]:
        """Kills the put once `wanted` more blocks were acknowledged; the digests it acknowledged."""
        command = [BIN, "put", self.store, "--namespace", "model", "--manifest", manifest, "-v"]
        with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            lines = []
            while len([line for line in lines if line.startswith(b"stored ")]) < wanted:
                line = process.stdout.readline()
                if not line:
                    break
                lines.append(line)
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        whole = [line.split() for line in lines if line.endswith(b"\n")]
        return {words[1].decode() for words in whole if words[0] == b"stored" and len(words[1]) == 64}


class Surface(Case):
    COMMANDS = ("put", "get", "ls", "lookup", "why", "scrub", "stats", "serve", "simulate",
                "completion", "bench write-back", "bench staging", "config show", "config check",
                "config schema", "config import")

    def test_version(self) -> None:
        self.assertRegex(self.run_cli("--version").stdout, rb"^terrace \d+\.\d+\.\d+\n$")

    def test_progress_is_drawn_on_a_terminal_only(self) -> None:
        path, _ = self.manifest(20, 1_000_000)
        drawn = self.on_terminal("put", self.store, "--namespace", "m", "--manifest", path, "--capacity",
                                 SMALL)
        self.assertRegex(drawn, r"put \[#*\.*\] +\d+ % .* of 19\.1 MiB")
        self.assertEqual(b"", self.run_cli("scrub", self.store).stderr)

    def test_every_command_has_help_with_examples(self) -> None:
        text = self.run_cli("--help").stdout.decode()
        for command in self.COMMANDS:
            self.assertIn(command.split()[0], text)
            help_text = self.run_cli(*command.split(), "--help").stdout.decode()
            self.assertIn("Examples:\n  ", help_text)
            self.assertIn("--json", help_text)
            self.assertIn("Exit codes", help_text)

    def test_completion_knows_every_command_and_flag(self) -> None:
        script = self.run_cli("completion", "bash").stdout.decode()
        subprocess.run(["bash", "-n"], input=script.encode(), check=True, timeout=60)
        for command in self.COMMANDS:
            offered = self.completed(script, "terrace", *command.split(), "--")
            help_text = self.run_cli(*command.split(), "--help").stdout.decode()
            flags = re.findall(r"(?<![\w-])--[a-z0-9][a-z0-9-]*", help_text.split("Examples:")[0])
            self.assertLessEqual(set(flags), offered, command)
        words = {command.split()[0] for command in self.COMMANDS}
        self.assertLessEqual(words, self.completed(script, "terrace", ""))
        of_config = self.completed(script, "terrace", "config", "")
        self.assertLessEqual({"show", "check", "schema", "import"}, of_config)
        keys = self.completed(script, str(BIN), "config", "show", "--set", "l1.b")
        self.assertEqual({"l1.budget="}, keys)

    def completed(self, script: str, *words: str) -> set[str]:
        listed = " ".join(f"'{word}'" for word in words)
        ask = f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _terrace; echo \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", f"{script}\n{ask}"], capture_output=True, check=True, timeout=60)
        return set(done.stdout.decode().split())


if __name__ == "__main__":
    main()
