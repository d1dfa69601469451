"""`terrace config show | check | schema | import` (C1, C2, C3), and stores opened from what it imported.

python3 tests/cli/config_test.py [TestCase...]
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import BIN, FAILED, USAGE, Case, content_of, digest_of, main

DATA = Path(__file__).resolve().parent / "data"
GUIDE = Path(__file__).resolve().parents[2] / "docs/guide/configuration.md"
SAMPLES = ("lmcache_cpu.yaml", "lmcache_disk.yaml", "lmcache_remote.yaml", "lmcache.env",
           "lmcache_server.txt")
CAPACITY = ("--disk-capacity", "1GiB")


class ConfigCase(Case):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.folder / "terrace.yaml"

    def write(self, text: str) -> Path:
        self.file.write_text(text)
        return self.file

    def disk(self, *more: str) -> Path:
        disk = f"  - disk: {{paths: [{self.store}], capacity: 256MiB}}"
        return self.write("\n".join(("l1: {budget: 64MiB}", "tiers:", disk, *more)) + "\n")

    def in_force(self, *arguments: object, **options: Any) -> dict[str, tuple[Any, str]]:
        shown = self.run_json("config", "show", *arguments, **options)
        return {row["key"]: (row["value"], row["origin"]) for row in shown["values"]}

    def sample(self, name: str) -> Path:
        """The sample, with its directories in the folder of the test."""
        path = self.folder / name
        path.write_text((DATA / name).read_text().replace("@DIR@", str(self.folder)))
        return path


def environment(**variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TERRACE_")}
    return {**kept, **variables}


class ConfigShow(ConfigCase):
    def test_C1_values_and_where_they_come_from(self) -> None:
        self.write("l1:\n  budget: 64MiB\nget:\n  timeout: 250ms\nlookup: {timeout: 1s}\n")
        values = self.in_force("--file", self.file, "--set", "lookup.timeout=2s", "--set", "l1.verify=off",
                               env=environment(TERRACE_GET_TIMEOUT="3s", TERRACE_LOOKUP_TIMEOUT="4s"))
        self.assertEqual(("64MiB", f"{self.file}:2"), values["l1.budget"])
        self.assertEqual(("3s", "TERRACE_GET_TIMEOUT"), values["get.timeout"])
        self.assertEqual(("2s", "--set"), values["lookup.timeout"])
        self.assertEqual(("off", "--set"), values["l1.verify"])
        self.assertEqual((0.95, "default"), values["l1.high_watermark"])

    def test_C3_defaults_are_printed(self) -> None:
        text = self.run_cli("config", "show").stdout.decode()
        self.assertRegex(text, r"l1\.budget +1GiB +default")
        self.assertRegex(text, r"store\.bytes_in_flight +0 \(min\(256MiB, half of L1\)\) +default")
        self.assertRegex(text, r"prefetch\.hold +30s +default")

    def test_the_file_of_TERRACE_CONFIG(self) -> None:
        self.disk()
        values = self.in_force(env=environment(TERRACE_CONFIG=str(self.file)))
        self.assertEqual([str(self.store)], values["tiers[0].disk.paths"][0])
        self.assertNotIn("tiers[0].mock.capacity", values, "keys of another kind of tier are not shown")

    def test_M5_warnings(self) -> None:
        done = self.run_cli("config", "show", "--set", "l1.eviction=noop")
        self.assertIn(b"warning: l1.mode cache with l1.eviction noop", done.stderr)

    def test_D2_quotas_are_checked_and_printed_as_they_are_read(self) -> None:
        tenant = hashlib.sha256(b"alice").hexdigest()
        self.disk("quotas:", f"  - {tenant}  l1=1GiB tiers.disk=8GiB", "  - none reserved=64MiB leased=1MiB")
        values = self.in_force("--file", self.file)
        self.assertEqual([f"{tenant} l1=1GiB tiers.disk=8GiB", "none reserved=64MiB leased=1MiB"],
                         values["quotas"][0])
        for quota, said in (("alice l1=1GiB", "SHA-256"), ("none l2=1GiB", "l2"), ("none l1", "l1=8GiB"),
                            ("none l1=1GiB l1=2GiB", "twice"), ("none l1=much", "much"),
                            ("none tiers.nvme=1GiB", "nvme")):
            self.refused("config", "check", self.disk("quotas:", f"  - {quota}"), says=("quotas", said))

    def test_problems(self) -> None:
        self.refused("config", "show", "--set", "l1.budgt=1GiB", says=("l1.budgt", "did you mean l1.budget?"))
        done = self.run_cli("config", "show", "--json", "--set", "l1.mode=both", exit_code=USAGE)
        self.assertIn(b'"allowed": "cache, staging, off"', done.stdout)


class ConfigCheck(ConfigCase):
    def test_C1_every_problem_has_key_value_range_and_line(self) -> None:
        self.write("l1:\n  budget: big\n  mode: both\ntiers:\n  - disk:\n      capaccity: 1GiB\n")
        done = self.run_cli("config", "check", self.file, exit_code=USAGE)
        lines = done.stderr.decode().splitlines()
        self.assertEqual(3, len(lines), lines)
        expected = ((6, "tiers[0].disk.capaccity", "did you mean tiers[0].disk.capacity"),
                    (2, "l1.budget", "big", "GiB", "4MiB or more"),
                    (3, "l1.mode", "both", "cache, staging, off"))
        for line, (number, *words) in zip(lines, expected):
            self.assertTrue(line.startswith(f"terrace: {self.file}:{number}: "), line)
            for word in words:
                self.assertIn(word, line)
        problems = self.run_json("config", "check", self.file, exit_code=USAGE)["problems"]
        keys = [row["key"] for row in problems]
        self.assertEqual(["tiers[0].disk.capaccity", "l1.budget", "l1.mode"], keys)

    def test_unknown_variables_are_problems(self) -> None:
        done = self.run_cli("config", "check", self.disk(), exit_code=USAGE,
                            env=environment(TERRACE_L1_SIZE="1"))
        self.assertIn(b"TERRACE_L1_SIZE: no key has this environment variable", done.stderr)

    def test_a_right_one_opens(self) -> None:
        self.run_cli("config", "check", self.disk())
        self.assertFalse(self.store.exists(), "a check makes nothing")
        text = self.run_cli("config", "check", self.file, "--open").stdout.decode()
        self.assertRegex(text, r"disk +ready")
        tiers = self.run_json("config", "check", self.file, "--open")["store"]["tiers"]
        self.assertEqual([64 << 20, 256 << 20], [tier["capacity_bytes"] for tier in tiers])

    def test_what_cannot_be_opened_is_said_with_its_path(self) -> None:
        self.store.write_text("no directory")
        self.write(
            f"tiers:\n  - disk: {{paths: [{self.store}], capacity: 256MiB, require_all_paths: true}}\n")
        done = subprocess.run([str(BIN), "config", "check", str(self.file), "--open"], capture_output=True,
                              check=False, timeout=60)
        self.assertIn(done.returncode, (FAILED, USAGE))
        self.assertIn(str(self.store), done.stderr.decode())

    def test_files_that_are_none(self) -> None:
        self.refused("config", "check", self.folder / "nothing.yaml", says=("nothing.yaml", "No such file"))
        self.refused("config", "check", self.folder, says=("Is a directory",))
        self.refused("config", "check", says=("TERRACE_CONFIG",), env=environment())
        self.refused("config", says=("config", "show, check, schema, import"))
        self.refused("config", "frob", says=("config", "show, check, schema, import"))
        self.refused("config", "show", "--frob", says=("config show", "--set"))


class ConfigFile(ConfigCase):
    def put_arguments(self) -> tuple[object, ...]:
        path = self.folder / "block"
        path.write_bytes(content_of("block", 100_000))
        return (self.file, "--namespace", "m", "--key", digest_of("block"), path)

    def test_all_tiers_are_written_and_found(self) -> None:
        second = self.folder / "second"
        self.disk(f"  - {{name: far, disk: {{paths: [{second}], capacity: 256MiB}}}}")
        made = self.run_json("put", *self.put_arguments())
        self.assertEqual((1, 0), (made["stored"], made["failed"]))
        found = self.run_json("lookup", *self.put_arguments()[:-1])
        self.assertEqual(["disk", "far"], found["keys"][0]["where"])
        self.assertEqual(["disk"], self.run_json("ls", second, "--blocks")["blocks"][0]["where"])

    def test_D2_stats_show_tenants_when_one_has_a_quota(self) -> None:
        record = 4096 + 25 * 4096  # header, and 100,000 bytes to whole pages
        self.disk()
        self.assertEqual(1, self.run_json("put", *self.put_arguments())["stored"])
        self.assertNotIn("TENANT", self.run_cli("stats", self.file).stdout.decode())
        other = hashlib.sha256(b"other").hexdigest()
        self.disk("quotas:", f"  - none tiers.disk={record}B", f"  - {other} leased=1MiB")
        tenants = {row["tenant"]: row for row in self.run_json("stats", self.file)["tenants"]}
        self.assertEqual({"", other}, set(tenants))
        disk = tenants[""]["tiers"][1]
        self.assertEqual(("disk", 1, record, record, 0), (disk["name"], disk["blocks"], disk["bytes"],
                                                         disk["quota_bytes"], disk["above_bytes"]))
        self.assertEqual(1 << 20, tenants[other]["leased_quota_bytes"])
        text = self.run_cli("stats", self.file).stdout.decode()
        self.assertRegex(text, r"\(no salt\) +disk +1 +104 KiB +104 KiB +0 B +0 +0")
        self.assertRegex(text, other + r" +leased +0 B +1 MiB")
        self.disk("quotas:", f"  - none tiers.disk={record - 1}B")
        # What is above leaves in the background, while some command has the store open.
        blocks = (self.run_json("stats", self.file)["tenants"][0]["tiers"][1]["blocks"] for _ in range(100))
        self.assertIn(0, blocks)

    def test_a_policy_that_stores_nothing_now_is_said(self) -> None:
        self.disk("    store_policy: none")
        done = self.run_cli("put", *self.put_arguments(), exit_code=FAILED)
        self.assertIn(b"store policy", done.stderr)

    def test_refused(self) -> None:
        self.refused("stats", self.disk(), says=(str(self.store), "no such directory"))
        self.assertFalse(self.store.exists())
        self.refused("put", *self.put_arguments(), "--capacity", "1GiB", says=("--capacity", str(self.file)))
        self.refused("stats", self.write("l1: {budget: x}\n"), says=(f"{self.file}:1: l1.budget",))
        self.refused("stats", self.folder / "none.yaml", says=("none.yaml", "No such file"))


class ConfigSchema(ConfigCase):
    def test_the_guide_has_the_table_of_the_schema(self) -> None:
        table = self.run_cli("config", "schema", "--markdown").stdout.decode()
        hint = "docs/guide/configuration.md is behind: put in the output of terrace config schema --markdown"
        self.assertIn(table, GUIDE.read_text(), hint)

    def test_every_key_can_be_set_to_its_default(self) -> None:
        tier = ["tiers[0].disk.paths=/kv", "tiers[0].disk.capacity=1GiB"]
        for key in self.run_json("config", "schema")["keys"]:
            name, value = key["key"].replace("[]", "[0]"), key["default"]
            if ".mock." in name or name in {"tiers[0].disk.paths", "tiers[0].disk.capacity", "quotas"}:
                continue
            text = str(value).lower() if isinstance(value, bool) else str(value)
            text = ",".join(map(str, value)) if isinstance(value, list) else text
            values = self.in_force(*(word for one in (*tier, f"{name}={text}") for word in ("--set", one)))
            self.assertEqual((value, "--set"), values[name])

    def test_text(self) -> None:
        text = self.run_cli("config", "schema").stdout.decode()
        self.assertRegex(text, r"tiers\[\]\.store_policy +choice +write_through +write_through, skip_l1")


class ConfigImport(ConfigCase):
    def imported(self, name: str, *more: object) -> dict[str, Any]:
        made = self.run_json("config", "import", self.sample(name), *CAPACITY, *more)
        return {**made, "values": {row["key"]: row["value"] for row in made["settings"]}}

    def test_C2_one_command_from_each_form_to_a_running_store(self) -> None:
        for name in SAMPLES:
            with self.subTest(name):
                output = self.folder / f"{name}.terrace.yaml"
                arguments = ("config", "import", self.sample(name), *CAPACITY, "-o", output, "--open")
                self.assertRegex(self.run_cli(*arguments).stdout.decode(), r"(?m)^l1 +ready")
                self.run_cli("config", "check", output)
                self.run_cli("config", "check", output, "--open")

    def test_C2_a_block_lives_in_the_store_that_was_imported(self) -> None:
        for name, tiers in (("lmcache_disk.yaml", {"disk"}), ("lmcache.env", {"disk"}),
                            ("lmcache_server.txt", {"fs"})):
            with self.subTest(name):
                self.run_cli("config", "import", self.sample(name), *CAPACITY, "-o", self.file)
                digest, block = digest_of(name), self.file_of(name)
                self.run_cli("put", self.file, "--namespace", "m", "--key", digest, block)
                found = self.run_json("lookup", self.file, "--namespace", "m", "--key", digest)
                self.assertLessEqual(tiers, set(found["keys"][0]["where"]))
                got = self.run_cli("get", self.file, "--namespace", "m", "--key", digest, "-o", "-").stdout
                self.assertEqual(block.read_bytes(), got)
                names = [tier["name"] for tier in self.run_json("stats", self.file)["tiers"]]
                self.assertLessEqual(tiers, set(names))

    def file_of(self, what: str) -> Path:
        path = self.folder / f"{what}.block"
        path.write_bytes(content_of(what, 200_000))
        return path

    def test_C2_gigabytes_are_GiB(self) -> None:
        self.assertEqual("512MiB", self.imported("lmcache_cpu.yaml")["values"]["l1.budget"])
        disk = self.imported("lmcache_disk.yaml")["values"]
        self.assertEqual("1536MiB", disk["tiers[0].disk.capacity"])
        self.assertEqual([f"{self.folder}/fast0/", f"{self.folder}/fast1/"], disk["tiers[0].disk.paths"])
        self.assertEqual(("staging", "by_rank", "10s", "3s"), (
            disk["l1.mode"], disk["tiers[0].disk.placement"], disk["get.timeout"], disk["lookup.timeout"]))

    def test_C2_what_has_no_equivalent_is_named_three_times(self) -> None:
        path = self.sample("lmcache_remote.yaml")
        done = self.run_cli("config", "import", path)
        yaml, said = done.stdout.decode(), done.stderr.decode()
        left = {row["option"]: row for row in self.imported("lmcache_remote.yaml")["left"]}
        for option in ("chunk_size", "remote_url", "remote_serde", "cache_policy", "enable_p2p", "p2p_host",
                       "p2p_init_ports", "p2p_lookup_ports", "extra_config.connector.threads"):
            self.assertIn(f"no equivalent of {option} ", said)
            self.assertIn(f"#   {option} ", yaml)
            self.assertTrue(left[option]["reason"])
        self.assertIn(f"{path}:5: no equivalent of remote_url redis://***@kv-cache.local:6379", said)
        self.assertNotIn("open-sesame", said + yaml + str(left))

    def test_C2_server_flags_as_a_file_and_behind_a_double_dash(self) -> None:
        from_file = self.imported("lmcache_server.txt")["values"]
        for key, value in (("name", "fs"), ("store_policy", "skip_l1"), ("disk.capacity", "1GiB")):
            self.assertEqual(value, from_file[f"tiers[0].{key}"])
        for key, value in (("kind", "mock"), ("capacity", "512MiB"), ("bytes_per_second", "10GiB")):
            self.assertEqual(value, from_file[f"tiers[1].{key if key == 'kind' else 'mock.' + key}"])
        flags = ("--l1-size-gb", "0.5", "--eviction-trigger-watermark=0.8")
        done = self.run_cli("config", "import", "--", *flags)
        self.write(done.stdout.decode())
        values = self.in_force("--file", self.file)
        self.assertEqual(("512MiB", 0.8, 0.64), tuple(
            values[key][0] for key in ("l1.budget", "l1.high_watermark", "l1.low_watermark")))

    def test_standard_input_and_a_named_format(self) -> None:
        text = (DATA / "lmcache.env").read_bytes()
        made = self.run_json("config", "import", "-", "--format", "env", input=text)
        values = {row["key"]: row["value"] for row in made["settings"]}
        self.assertEqual("768MiB", values["tiers[0].disk.capacity"])

    def test_values_that_cannot_be_read(self) -> None:
        self.write("local_cpu: true\nmax_local_cpu_size: plenty\n")
        self.refused("config", "import", self.file, says=(f"{self.file}:2: max_local_cpu_size", "plenty"))
        self.refused("config", "import", self.folder / "none", says=("No such file",))
        self.refused("config", "import", self.file, "--format", "toml", says=("--format", "yaml"))
        self.refused("config", "import", self.file, "--open", says=("-o",))
        self.refused("config", "import", says=("FILE",))

    def test_a_result_for_a_larger_machine_is_written_and_said_to_be_refused(self) -> None:
        self.write("max_local_cpu_size: 900000\n")
        done = self.run_cli("config", "import", self.file, exit_code=USAGE)
        self.assertIn(b"budget: 900000GiB", done.stdout)
        self.assertIn(b"this machine's memory", done.stderr)


if __name__ == "__main__":
    main()
