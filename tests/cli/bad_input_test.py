"""What `terrace` says to bad input: the thing, what is allowed, the right exit code, and nothing lost.

python3 tests/cli/bad_input_test.py [TestCase...]
"""

import ctypes
import ctypes.util
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import BIN, FAILED, NOBODY, SMALL, USAGE, Case, Says, digest_of, main


class BadInput(Case):
    def test_unknown_command_flag_and_shell(self) -> None:
        self.refused("frobnicate", says=("frobnicate", "put, get, ls, lookup, why, scrub, stats"))
        self.refused("ls", self.store, "--frob", says=("--frob", "--blocks", "--json"))
        self.refused("--frob", says=("--frob",))
        self.refused("completion", "fish", says=("fish", "bash"))
        self.refused(says=("put, get",))

    def test_missing_arguments_are_named(self) -> None:
        self.refused("get", says=("DIR",))
        self.refused("get", self.store, "--namespace", "m", "-o", "x", says=("--key",))
        self.refused("get", self.store, "--namespace", "m", "--key", digest_of(1), says=("--output",))
        self.refused("lookup", self.store, "--key", digest_of(1), says=("--namespace",))
        self.refused("put", self.store, "--namespace", "m", says=("--key", "FILE", "--manifest"))
        self.refused("put", self.store, "--namespace", "m", "--key", digest_of(1), says=("FILE",))
        both = ("--key", digest_of(1), "x", "--manifest", "y")
        self.refused("put", self.store, "--namespace", "m", *both, says=("--manifest", "--key"))
        chain = ("--key", digest_of(1), "x", "--chain")
        self.refused("put", self.store, "--namespace", "m", *chain, says=("--chain",))

    def test_wrong_keys(self) -> None:
        file = self.file("a", 100)
        for key, word in (("abcd", "4 characters"), ("ab" * 33, "66 characters"), ("zz" * 32, "position 0")):
            for command, *rest in (("put", file), ("get", "-o", "-"), ("lookup",), ("why",)):
                arguments = (command, self.store, *rest, "--namespace", "m", "--key", key)
                self.refused(*arguments, says=(key, "64", word))
        self.assertFalse(self.store.exists(), "bad input must make nothing")

    def test_bad_manifest_names_the_line(self) -> None:
        manifest = self.folder / "manifest.txt"
        arguments = ("put", self.store, "--namespace", "m", "--manifest", manifest)
        self.refused(*arguments, says=(str(manifest), "No such file"))
        manifest.write_text(f"{digest_of(1)} {self.file(1, 10)}\nabcd somewhere\n")
        self.refused(*arguments, says=(f"{manifest}:2", "abcd", "64"))
        manifest.write_text(f"\n\n{digest_of(1)}\n")
        self.refused(*arguments, says=(f"{manifest}:3", "HEX64 PATH"))
        manifest.write_text("# nothing\n")
        self.refused(*arguments, says=(str(manifest), "HEX64 PATH"))
        self.refused("put", self.store, "--namespace", "m", "--manifest", self.folder, says=("directory",))
        self.assertFalse(self.store.exists())

    def test_bad_sizes(self) -> None:
        arguments = ("put", self.store, "--namespace", "m", "--key", digest_of(1), self.file(1, 10))
        for flag in ("--capacity", "--l1"):
            for text in ("10potatoes", "-5GiB", "", "1e9x", "0"):
                self.refused(*arguments, f"{flag}={text}", says=(flag,))
        self.refused(*arguments, "--capacity", "1KiB", says=("capacity",))
        self.refused(*arguments, "--l1", "4KiB", says=("l1",))
        self.assertFalse(self.store.exists() and any(self.store.iterdir()), "nothing was made")

    def test_budget_larger_than_the_machine(self) -> None:
        arguments = ("put", self.store, "--namespace", "m", "--key", digest_of(1), self.file(1, 10))
        self.refused(*arguments, "--l1", "900TiB", says=("--l1", "memory"))

    def test_bad_engine_and_namespace(self) -> None:
        arguments = ("put", self.store, "--key", digest_of(1), self.file(1, 10))
        self.refused(*arguments, "--namespace", "m", "--io", "mmap", says=("--io", "uring", "psync"))
        self.refused(*arguments, "--namespace", "", says=("--namespace",))
        self.refused(*arguments, b"--namespace=\xff\xfe".decode(errors="surrogateescape"), says=("UTF-8",))
        self.refused(*arguments, "--namespace", "x" * 70_000, says=("--namespace", "65536"))

    def test_json_and_payload_do_not_share_standard_output(self) -> None:
        arguments = ("get", self.store, "--namespace", "m", "--key", digest_of(1), "-o", "-", "--json")
        document = json.loads(self.run_cli(*arguments, exit_code=USAGE).stdout)
        self.assertEqual("invalid_argument", document["error"]["code"])


class BadDirectory(Case):
    READERS = (("ls",), ("scrub",), ("stats",), ("lookup", "--namespace", "m", "--key", digest_of(1)),
               ("why", "--namespace", "m", "--key", digest_of(1)),
               ("get", "--namespace", "m", "--key", digest_of(1), "-o", "-"))

    def refused_by_all(self, directory: Path, says: Says, exit_code: int = USAGE) -> None:
        for command, *rest in self.READERS:
            self.refused(command, directory, *rest, says=(str(directory), *says), exit_code=exit_code)

    def refused_put(self, directory: Path, says: Says, exit_code: int = USAGE) -> None:
        arguments = ("--namespace", "m", "--key", digest_of(1), self.file(1, 100), "--capacity", SMALL)
        self.refused("put", directory, *arguments, says=(str(directory), *says), exit_code=exit_code)

    def test_missing_directory_is_not_made_by_readers(self) -> None:
        self.refused_by_all(self.store, ("no such directory",))
        self.assertFalse(self.store.exists())

    def test_empty_directory_is_not_made_a_store_by_readers(self) -> None:
        self.store.mkdir()
        self.refused_by_all(self.store, ("not a Terrace",))
        self.assertEqual([], list(self.store.iterdir()))

    def test_file_instead_of_a_directory(self) -> None:
        path = self.file("x", 10)
        self.refused_by_all(path, ("not a directory",))
        self.refused_put(path, ("not a directory",))

    def test_foreign_directory_is_refused_and_left_alone(self) -> None:
        self.store.mkdir()
        (self.store / "thesis.tex").write_text("mine")
        self.refused_by_all(self.store, ("Terrace",))
        self.refused_put(self.store, ("Terrace",))
        self.assertEqual(["thesis.tex"], [path.name for path in self.store.iterdir()])

    def test_store_of_a_newer_version_is_refused_naming_both_and_left_alone(self) -> None:
        self.put("a", 5000)
        library = ctypes.util.find_library("xxhash")
        if library is None:
            self.skipTest("needs libxxhash")
        xxh3_64 = ctypes.CDLL(library).XXH3_64bits
        xxh3_64.restype, xxh3_64.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
        superblock = self.store / "superblock"
        content = bytearray(superblock.read_bytes())
        for page in (0, 4096):  # two copies: version at 8, the sum of all before it at 4088
            struct.pack_into("<I", content, page + 8, 7)
            summed = bytes(content[page : page + 4088])
            struct.pack_into("<Q", content, page + 4088, xxh3_64(summed, len(summed)))
        superblock.write_bytes(content)
        before = self.snapshot()
        self.refused_by_all(self.store, ("version 7", "version 1"))
        self.refused_put(self.store, ("version 7", "version 1"))
        self.assertEqual(before, self.snapshot())

    def test_directory_without_permission(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        self.put("a", 5000)
        os.chmod(self.folder, 0o755)
        program = self.folder / "terrace"  # the build folder may be closed to others
        shutil.copy2(BIN, program)
        for command, *rest in self.READERS:
            done = self.run_as_nobody([program, command, self.store, *rest])
            self.assertEqual(USAGE, done.returncode, done.stderr)
            self.assertIn(b"ermission denied", done.stderr)
            self.assertIn(str(self.store).encode(), done.stderr)

    def run_as_nobody(self, command: list[object]) -> subprocess.CompletedProcess:
        nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        return subprocess.run([*map(str, command)], capture_output=True, check=False, timeout=60, **nobody)

    def test_directory_in_use_is_refused_naming_the_pid(self) -> None:
        path, _ = self.manifest(3000, 1)
        command = [BIN, "put", self.store, "--namespace", "m", "--manifest", path, "-v", "--capacity", SMALL]
        # Nobody reads its lines: it stops once the pipe is full, and holds the store.
        with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            try:
                self.refused_by_all(self.store, (f"{holder.pid}",), exit_code=FAILED)
                self.refused_put(self.store, (f"{holder.pid}",), exit_code=FAILED)
                document = self.run_json("stats", self.store, exit_code=FAILED)
                self.assertEqual("in_use", document["error"]["code"])
            finally:
                holder.kill()
                holder.stdout.read()
        self.run_cli("stats", self.store)


class FullDisk(Case):
    def setUp(self) -> None:
        super().setUp()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(self.disk)]
        try:
            mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            mounted = False
        if not mounted:
            self.skipTest("needs the right to mount")
        self.addCleanup(subprocess.run, ["umount", str(self.disk)], check=True)
        self.store = self.disk / "store"

    def test_goes_on_within_what_the_disk_holds(self) -> None:
        path, digests = self.manifest(40, 1_000_000)
        arguments = ("put", self.store, "--namespace", "model", "--manifest", path, "--capacity", "1GiB")
        document = self.run_json(*arguments)
        self.assertEqual((40, 0), (document["stored"], document["failed"]))
        kept = self.places()
        self.assertEqual(40 - len(kept), document["evicted"])
        self.assertGreaterEqual(len(kept), 10)
        self.run_cli("scrub", self.store)

    def test_disk_without_any_room_is_named(self) -> None:
        with open(self.disk / "fill", "wb") as file:
            file.write(bytes(20_800_000))
        arguments = ("put", self.store, "--namespace", "m", "--key", digest_of(1), self.file(1, 1_000_000),
                     "--capacity", "16MiB")
        self.refused(*arguments, says=("No space left on device",), exit_code=FAILED)
        (self.disk / "fill").unlink()
        self.run_cli(*arguments)


class BadFile(Case):
    def refused_file(self, path: Path, says: tuple[str, ...], exit_code: int = USAGE, **options: Any) -> None:
        arguments = ("put", self.store, "--namespace", "m", "--key", digest_of(1), path, "--capacity", SMALL)
        self.refused(*arguments, says=(str(path), *says), exit_code=exit_code, **options)
        self.assertFalse(self.store.exists(), "bad input must make nothing")

    def test_missing_empty_too_large_directory_and_pipe(self) -> None:
        self.refused_file(self.folder / "missing", ("No such file",))
        empty, large, pipe = self.folder / "empty", self.folder / "large", self.folder / "pipe"
        empty.touch()
        self.refused_file(empty, ("empty", "1 byte"))
        large.touch()
        os.truncate(large, (256 << 20) + 1)
        self.refused_file(large, ("256 MiB", str((256 << 20) + 1)))
        self.refused_file(self.folder, ("not a regular file",))
        os.mkfifo(pipe)
        self.refused_file(pipe, ("not a regular file",))

    def test_block_larger_than_a_segment_of_the_disk(self) -> None:
        arguments = ("put", self.store, "--namespace", "m", "--key", digest_of(1), self.file(1, 30 << 20))
        self.refused(*arguments, "--capacity", SMALL, says=("--capacity",))

    def test_output_that_cannot_be_written(self) -> None:
        digest = self.put("a", 5000)
        arguments = ("get", self.store, "--namespace", "model", "--key", digest, "-o")
        self.refused(*arguments, self.folder / "no" / "such" / "out", says=("No such file",))
        self.refused(*arguments, self.folder, says=(str(self.folder), "irectory"))
        self.refused(*arguments, "/dev/full", says=("/dev/full", "No space left"), exit_code=FAILED)

    def test_full_standard_output(self) -> None:
        self.put("a", 5000)
        with open("/dev/full", "wb") as full:
            command = [str(BIN), "ls", str(self.store)]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertEqual(FAILED, done.returncode)
        self.assertIn(b"standard output", done.stderr)


if __name__ == "__main__":
    main()
