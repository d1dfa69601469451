"""`terrace serve`: a real process, its socket, its signals, and what it refuses.

python3 tests/cli/serve_test.py [TestCase...]; ctest runs each TestCase as a test of its own.
"""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import BIN, FAILED, OK, SMALL, Case, main

SMALL_L1 = ("--l1", "16MiB")


class ServeCase(Case):
    def setUp(self) -> None:
        super().setUp()
        self.socket = self.folder / "run" / "socket"
        self.file = self.folder / "terrace.yaml"

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen:
        """Begins to serve; `ready` has the line it said."""
        command = [str(BIN), "serve", *map(str, arguments)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  **options)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        self.ready = server.stdout.readline()
        self.assertIn("ready", self.ready)
        return server

    def serve(self, *arguments: object, **options: Any) -> subprocess.Popen:
        return self.start("--socket", self.socket, *SMALL_L1, *arguments, **options)

    def stop(self, server: subprocess.Popen, sent: int = signal.SIGTERM, code: int = OK) -> str:
        """What it said after that."""
        server.send_signal(sent)
        said, complaints = server.communicate(timeout=60)
        self.assertEqual((code, ""), (server.returncode, complaints))
        return said

    def assert_connects(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


class Serve(ServeCase):
    def test_a_client_connects_once_the_line_is_there(self) -> None:
        server = self.serve()
        self.assertEqual(f"ready: {self.socket}, L1 cache 16 MiB, no tiers\n", self.ready)
        self.assert_connects(self.socket)
        self.assertEqual(0o600, stat.S_IMODE(self.socket.stat().st_mode))
        self.assertEqual(0o700, stat.S_IMODE(self.socket.parent.stat().st_mode))
        self.assertRegex(self.stop(server), r"^stopped by SIGTERM after .*: \d+ sessions?, 0 in quarantine")
        self.assertFalse(self.socket.exists())

    def test_both_signals_stop_it_and_one_that_comes_twice_is_one(self) -> None:
        self.assertIn("stopped by SIGINT", self.stop(self.serve(), signal.SIGINT))
        server = self.serve()
        server.send_signal(signal.SIGSTOP)  # both wait when it goes on
        server.send_signal(signal.SIGINT)
        server.send_signal(signal.SIGTERM)
        self.assertIn("stopped by", self.stop(server, signal.SIGCONT))

    def test_the_socket_of_a_killed_server_is_taken_over(self) -> None:
        killed = self.serve()
        killed.kill()
        killed.wait(timeout=60)
        self.assertTrue(self.socket.is_socket())
        server = self.serve()
        self.assert_connects(self.socket)
        self.stop(server)

    def test_one_document_a_line(self) -> None:
        server = self.serve("--dir", self.store, "--capacity", SMALL, "--json")
        tier = {"name": "disk", "kind": "disk", "capacity_bytes": 256 << 20, "paths": [str(self.store)]}
        expected = {"event": "ready", "socket": str(self.socket),
                    "l1": {"mode": "cache", "capacity_bytes": 16 << 20}, "tiers": [tier]}
        self.assertEqual(expected, json.loads(self.ready))
        (line,) = self.stop(server).splitlines()
        stopped = json.loads(line)
        self.assertEqual(("stopped", "SIGTERM", 0), (stopped["event"], stopped["signal"], stopped["leases"]))
        self.assertGreater(stopped["seconds"], 0)

    def test_the_file_the_environment_and_flags_in_rising_precedence(self) -> None:
        self.file.write_text(f"server: {{socket: {self.socket}, also_allow: [0, 65534]}}\n"
                             "l1: {mode: staging, budget: 64MiB}\n"
                             "tiers:\n  - name: far\n"
                             f"    disk: {{paths: [{self.store}], capacity: {SMALL}}}\n")
        server = self.start(self.file, "--l1", "16MiB", env={**os.environ, "TERRACE_L1_BUDGET": "32MiB"})
        self.assertEqual(f"ready: {self.socket}, L1 staging 16 MiB, tier far (256 MiB in {self.store})\n",
                         self.ready)
        self.stop(server)
        server = self.start(*SMALL_L1, env={**os.environ, "TERRACE_CONFIG": str(self.file)})
        self.assertIn(f"ready: {self.socket}, L1 staging", self.ready)
        self.stop(server)

    def test_the_capacity_of_a_directory_goes_on(self) -> None:
        self.stop(self.serve("--dir", self.store, "--capacity", SMALL))
        server = self.serve("--dir", f"file://{self.store}")
        self.assertIn("tier disk (256 MiB in ", self.ready)
        self.stop(server)

    def test_the_user_s_own_place(self) -> None:
        runtime = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder)}
        server = self.start(*SMALL_L1, env=runtime)
        self.assert_connects(self.folder / "terrace" / "socket")
        self.stop(server)
        help_text = self.run_cli("serve", "--help", env={**runtime, "XDG_RUNTIME_DIR": "relative"}).stdout
        place = "/run/terrace/socket" if os.geteuid() == 0 else f"terrace-{os.geteuid()}/socket"
        self.assertIn(f"{place})", help_text.decode())


class ServeRefused(ServeCase):
    def serve_refused(self, *arguments: object, says: tuple[str, ...], **options: Any) -> None:
        self.refused("serve", *SMALL_L1, *arguments, says=says, **options)

    def test_a_second_server_on_the_socket(self) -> None:
        server = self.serve()
        self.serve_refused("--socket", self.socket, says=("another server listens at", str(self.socket)),
                           exit_code=FAILED)
        self.assert_connects(self.socket)
        self.stop(server)

    def test_a_second_server_on_the_directory(self) -> None:
        server = self.serve("--dir", self.store, "--capacity", SMALL)
        second = self.folder / "second" / "socket"
        self.serve_refused("--socket", second, "--dir", self.store,
                           says=(str(self.store), f"in use by process {server.pid}"), exit_code=FAILED)
        self.assertFalse(second.exists())
        self.stop(server)

    def test_sockets_that_cannot_be(self) -> None:
        long = self.folder / ("s" * 108)
        self.serve_refused("--socket", long, says=("--socket", str(long), "1 to 107"))
        self.file.write_text(f"\nserver:\n  socket: {long}\n")
        self.serve_refused(self.file, says=(f"{self.file}:3: server.socket", "1 to 107"))
        self.refused("config", "check", self.file, says=(f"{self.file}:3: server.socket", "1 to 107"))
        self.file.chmod(0o600)
        self.folder.chmod(0o700)
        self.serve_refused("--socket", self.file, says=(str(self.file), "is no socket"))
        self.folder.chmod(0o755)
        self.serve_refused("--socket", self.folder / "socket",
                           says=(str(self.folder), "this user's alone", "mode 0700", "mode 0755"))

    def test_keys_and_values_that_are_none(self) -> None:
        self.file.write_text("server: {sockt: /run/kv/socket}\n")
        self.serve_refused(self.file, says=(f"{self.file}:1: server.sockt", "did you mean server.socket?"))
        for uid in ("alice", "-1", "4294967295"):
            self.serve_refused(f"--allow-uid={uid}", says=("--allow-uid", uid, "0 to 4294967294"))
        self.serve_refused("--set", "l1.budget=32MiB", says=("--l1", "given twice, first at --set"))
        self.serve_refused("--capacity", SMALL, says=("tiers[0].disk.paths",))
        self.serve_refused(self.folder / "none.yaml", says=("none.yaml", "No such file"))

    def test_the_error_is_a_line_of_JSON_too(self) -> None:
        done = self.run_cli("serve", "--json", "--set", "l1.mode=both", exit_code=2)
        (line,) = done.stdout.decode().splitlines()
        self.assertIn("cache, staging, off", json.loads(line)["error"]["message"])


if __name__ == "__main__":
    main()
