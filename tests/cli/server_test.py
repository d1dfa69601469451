"""`terrace server`: a real server, looked at and set while it runs.

python3 tests/cli/server_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import BIN, OK, SMALL, USAGE, main
from serve_test import ServeCase


class Server(ServeCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.serve("--dir", self.store, "--capacity", SMALL)

    def ask(self, *words: object, code: int = OK) -> str:
        command = [str(BIN), "server", *map(str, words), "--socket", str(self.socket)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(code, done.returncode, done.stderr)
        return done.stdout if code == OK else done.stderr

    def ask_json(self, *words: object) -> dict:
        return json.loads(self.ask(*words, "--json"))

    def test_stats_of_tiers_tenants_and_sessions(self) -> None:
        text = self.ask("stats")
        self.assertRegex(text, r"l1 +ready +0 ")
        self.assertRegex(text, r"disk +ready +0 ")
        self.assertRegex(text, r"SESSION +CLIENT +PROCESS")
        document = self.ask_json("stats")
        self.assertEqual(["l1", "disk"], [tier["name"] for tier in document["tiers"]])
        self.assertEqual({"reserved_bytes": 0, "leased_bytes": 0}, document["session_limits"])
        self.assertEqual("terrace", document["sessions"][0]["client"])

    def test_limits_are_set_and_shown(self) -> None:
        self.assertEqual("of a session: reserved no limit, leased no limit\n", self.ask("limit"))
        self.assertEqual("of a session: reserved 2 MiB, leased no limit\n",
                         self.ask("limit", "--reserved", "2MiB"))
        self.assertEqual({"reserved_bytes": 2 << 20, "leased_bytes": 4 << 20},
                         self.ask_json("limit", "--leased", "4MiB"))
        self.assertIn("--reserved", self.ask("limit", "--reserved", "much", code=USAGE))

    def test_a_quota_is_set(self) -> None:
        self.assertEqual("set; 0 B above it\n", self.ask("quota", "none l1=1MiB tiers.disk=8MiB"))
        (tenant,) = self.ask_json("stats")["tenants"]
        self.assertEqual([1 << 20, 8 << 20], [tier["quota_bytes"] for tier in tenant["tiers"]])
        self.assertIn("tiers.nowhere", self.ask("quota", "none tiers.nowhere=1MiB", code=USAGE))

    def test_a_tier_is_drained_and_resumed_and_the_mode_switched(self) -> None:
        self.assertEqual("disk is drained; nothing runs there\n", self.ask("drain", "disk"))
        self.assertEqual("drained", self.ask_json("stats")["tiers"][1]["state"])
        self.assertEqual("disk is in use\n", self.ask("resume", "disk"))
        self.assertEqual("staging; leases and writes keep 0 B\n", self.ask("mode", "staging"))
        self.assertEqual({"mode": "cache", "bytes_kept": 0}, self.ask_json("mode", "cache"))
        self.assertIn("no tier", self.ask("drain", "nowhere", code=USAGE))
        self.assertIn("cache", self.ask("mode", "off", code=USAGE))

    def test_watch_prints_a_line_a_change(self) -> None:
        command = [str(BIN), "server", "watch", "--count", "2", "--json", "--socket", str(self.socket)]
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(watcher.kill)
        self.assertIn("watching", watcher.stderr.readline())
        self.ask("drain", "disk")
        self.ask("resume", "disk")
        said, _ = watcher.communicate(timeout=60)
        changes = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([("tier", "disk", "drained"), ("tier", "disk", "ready")],
                         [(change["change"], change["tier"], change["state"]) for change in changes])

    def test_no_server(self) -> None:
        self.stop(self.server)
        for words in (["stats"], ["watch"], ["limit"], ["quota", "none"], ["drain", "disk"],
                      ["mode", "cache"]):
            with self.subTest(words):
                self.assertIn("nobody listens there", self.ask(*words, code=USAGE))


if __name__ == "__main__":
    main()
