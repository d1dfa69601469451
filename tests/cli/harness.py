"""What the tests of `terrace` share: the real binary (environment TERRACE_BIN) on real directories."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

BIN = Path(os.environ.get("TERRACE_BIN", "build/dev/src/cli/terrace")).resolve()
Says = tuple[str, ...]
OK, FAILED, USAGE, MISS, DAMAGE = range(5)
SMALL = "256MiB"  # of capacity: a store is made in no time
NOBODY = 65534
ABSENT = 0xFFFFFFFF


def field(value: str | None) -> bytes:
    if value is None:
        return struct.pack("<I", ABSENT)
    return struct.pack("<I", len(value.encode())) + value.encode()


def root_of(name: str) -> bytes:
    """K2's root of the descriptor that NAME stands for: model id NAME, producer `cli`, all else absent."""
    fields = [name, None, None, None, None, "cli", None, None, None, None]
    return hashlib.sha256(b"terrace/ns/1" + b"".join(map(field, fields))).digest()


def key_of(name: str, digest: str) -> str:
    """K2's member key of an engine digest, re-rooted."""
    raw = bytes.fromhex(digest)
    family = hashlib.sha256(b"\x02" + root_of(name) + struct.pack("<I", len(raw)) + raw).digest()
    return hashlib.sha256(b"\x03" + family + struct.pack("<III", 0, 0, 1)).hexdigest()


def digest_of(what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()


def content_of(what: object, size: int) -> bytes:
    """Bytes that differ everywhere and depend on `what`."""
    return hashlib.shake_128(repr(what).encode()).digest(size)


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="terrace-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.store = self.folder / "store"

    def run_cli(self, *arguments: object, exit_code: int = OK, **options: Any) -> subprocess.CompletedProcess:
        command = [str(BIN), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, timeout=240, check=False, **options)
        said = f"{' '.join(command)}\n{done.stdout[:2000]!r}\n{done.stderr.decode(errors='replace')}"
        self.assertEqual(exit_code, done.returncode, said)
        return done

    def run_json(self, *arguments: object, exit_code: int = OK, **options: Any) -> Any:
        return json.loads(self.run_cli(*arguments, "--json", exit_code=exit_code, **options).stdout)

    def on_terminal(self, *arguments: object) -> str:
        """What the command draws on standard error when that is a terminal."""
        terminal, slave = os.openpty()
        self.addCleanup(os.close, terminal)
        command = [str(BIN), *map(str, arguments)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=slave, check=True, timeout=120)
        os.close(slave)
        return os.read(terminal, 65536).decode()

    def refused(self, *arguments: object, says: Says, exit_code: int = USAGE, **options: Any) -> None:
        """The command fails with the exit code, says these words on standard error and prints nothing."""
        done = self.run_cli(*arguments, exit_code=exit_code, **options)
        text = done.stderr.decode(errors="replace")
        for word in says:
            self.assertIn(word, text)
        self.assertEqual(b"", done.stdout)
        self.assertTrue(text.startswith("terrace: "), text)

    def file(self, what: object, size: int) -> Path:
        path = self.folder / f"{digest_of(what)[:12]}.bin"
        path.write_bytes(content_of(what, size))
        return path

    def put(self, what: object, size: int = 100_000, name: str = "model", **options: Any) -> str:
        """Puts a file named after `what`; its digest."""
        digest = digest_of(what)
        capacity = [] if self.store.exists() else ["--capacity", SMALL]
        arguments = ("put", self.store, "--namespace", name, "--key", digest, self.file(what, size))
        self.run_cli(*arguments, *capacity, **options)
        return digest

    def get(self, digest: str, name: str = "model", exit_code: int = OK) -> bytes:
        arguments = ("get", self.store, "--namespace", name, "--key", digest, "-o", "-")
        return self.run_cli(*arguments, exit_code=exit_code).stdout

    def manifest(self, count: int, size: int, name: str = "manifest") -> tuple[Path, list[str]]:
        lines, digests = [], []
        for i in range(count):
            digests.append(digest_of((name, i)))
            lines.append(f"{digests[-1]} {self.file((name, i), size)}\n")
        path = self.folder / f"{name}.txt"
        path.write_text("".join(lines))
        return path, digests

    def put_manifest(self, path: Path, *more: object, exit_code: int = OK) -> Any:
        capacity = [] if self.store.exists() else ["--capacity", SMALL]
        return self.run_json("put", self.store, "--namespace", "model", "--manifest", path, *capacity, *more,
                             exit_code=exit_code)

    def places(self) -> dict[str, Any]:
        """The blocks of the store by key, with their place on disk."""
        return {block["key"]: block for block in self.run_json("ls", self.store, "--blocks")["blocks"]}

    def flip(self, block: dict[str, Any], offset: int) -> None:
        """Flips a bit of the byte at `offset` of the block's record."""
        with open(block["file"], "r+b") as file:
            file.seek(block["offset"] + offset)
            byte = file.read(1)
            file.seek(block["offset"] + offset)
            file.write(bytes([byte[0] ^ 4]))

    def snapshot(self) -> dict[str, str]:
        """What every file of the store holds; the lock file, which names the last holder, aside."""
        files = (path for path in self.store.rglob("*") if path.is_file() and "lock" not in path.name.lower())
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    if not BIN.is_file():
        raise SystemExit(f"no program {BIN}: build it, or name it in TERRACE_BIN")
    unittest.main()
