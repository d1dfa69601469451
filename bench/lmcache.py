#!/usr/bin/env python3
"""LMCache's server and Terrace's beside each other, in one run, on the CPU.

LMCache is driven by its own tool (`lmcache bench server --mode cpu`); Terrace by the same steps through
libterrace.so: a request looks its prompt up, stores it from paged KV tensors, looks it up again and copies it
back into them. Both drivers are Python; chunks, tensors and L1 have the same sizes. Every byte that Terrace
delivers is compared, outside the times; LMCache's tool compares checksums.

Installs LMCache from PyPI (about 6 GB with what it depends on) into build/lmcache when it is not there.
"""

from __future__ import annotations

import argparse
import array
import ctypes
import hashlib
import json
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / "build/lmcache"
VERSION = "0.5.6"

TOKENS, CHUNK, PAGE, LAYERS, HEADS, WIDTH, PAGES = 2048, 256, 16, 8, 8, 128, 512
PIECE = PAGE * HEADS * WIDTH * 2  # a page's keys, or its values, of a layer: float16
CHUNK_BYTES = CHUNK // PAGE * LAYERS * 2 * PIECE
SHAPE = f"(2,{PAGES},{PAGE},{HEADS},{WIDTH}):float16:{LAYERS}"
STEPS = ("cold_lookup", "cold_store", "warm_lookup", "warm_retrieve")


def install() -> Path:
    program = VENV / "bin/lmcache"
    if not program.is_file():
        print(f"installing LMCache {VERSION} into {VENV} (about 6 GB)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin/pip", "install", "--quiet", f"lmcache=={VERSION}"], check=True)
    return program


@contextmanager
def running(command: list[object], ready: Callable[[str], bool]) -> Iterator[None]:
    """The server, from its ready line on; its output goes to where nobody looks unless it fails."""
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        environment = os.environ | {"LMCACHE_TRACK_USAGE": "false", "LMCACHE_DISABLE_BANNER": "1"}
        server = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=environment)
        try:
            until = time.monotonic() + 120
            while not ready(Path(log.name).read_text()):
                if server.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{command[0]} did not start:\n{Path(log.name).read_text()[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(timeout=60)


def lmcache(program: Path, requests: int, l1_gib: int) -> dict[str, object]:
    port, http = 5655, 8187
    serve = [program, "server", "--l1-size-gb", l1_gib, "--eviction-policy", "LRU", "--chunk-size", CHUNK,
             "--port", port, "--http-port", http, "--disable-observability", "--supported-transfer-mode",
             "engine_driven"]
    with tempfile.TemporaryDirectory() as folder, running(serve, lambda text: "startup complete" in text):
        out = Path(folder) / "out.json"
        ask = [program, "bench", "server", "--rpc-url", f"tcp://localhost:{port}", "--mode", "cpu",
               "--num-tokens", TOKENS, "--kvcache-shape-spec", SHAPE, "--num-blocks", PAGES, "--block-size",
               PAGE, "--start", 0, "--end", requests, "--interval", 0, "--url", f"http://localhost:{http}",
               "--format", "json", "--output", out, "--quiet"]
        subprocess.run([str(word) for word in ask], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        metrics = json.loads(out.read_text())["metrics"]
    answer: dict[str, object] = {step: metrics[step][f"{step}_p50"] for step in STEPS}
    answer["dropped"] = metrics["results"]["total_requests"] - metrics["results"]["checksum_ok"]
    return answer


class Key(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint8 * 32)]


class Spec(ctypes.Structure):
    _fields_ = [("key", Key), ("bytes", ctypes.c_uint64), ("family", Key), ("member", ctypes.c_uint32 * 3),
                ("reserved", ctypes.c_uint32)]


class Request(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("root", Key), ("parent", Key), ("blocks", ctypes.POINTER(Spec)),
                ("count", ctypes.c_size_t)]


class Connect(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("socket", ctypes.c_char_p), ("name", ctypes.c_char_p),
                ("patience_ns", ctypes.c_int64), ("namespaces", ctypes.c_void_p),
                ("namespace_count", ctypes.c_size_t)]


class Block(ctypes.Structure):
    _fields_ = [("key", Key), ("data", ctypes.c_void_p), ("bytes", ctypes.c_uint64),
                ("source", ctypes.c_uint32), ("reserved", ctypes.c_uint32)]


class Engine:
    """Paged KV tensors and a store, as an engine's worker has them."""

    def __init__(self, library: Path, socket: str) -> None:
        self.lib = ctypes.CDLL(str(library))
        self.lib.terrace_reservation_buffer.restype = ctypes.c_void_p
        self.lib.terrace_blocks_list.restype = ctypes.POINTER(Block)
        self.store = ctypes.c_void_p()
        options = Connect(size=ctypes.sizeof(Connect), socket=socket.encode(), name=b"bench")
        self.check(self.lib.terrace_connect(ctypes.byref(options), ctypes.byref(self.store), None))
        self.layer_bytes = 2 * PAGES * PIECE
        self.memory = mmap.mmap(-1, LAYERS * self.layer_bytes)
        self.base = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        ctypes.memset(self.base, 7, LAYERS * self.layer_bytes)
        self.dropped = 0

    @staticmethod
    def check(code: int) -> None:
        if code != 0:
            raise SystemExit(f"libterrace answered {code}")

    def pieces(self, chunk: int) -> Iterator[int]:
        """Where the chunk's pages stand: layer by layer, keys then values."""
        first = chunk * (CHUNK // PAGE)
        for layer in range(LAYERS):
            for kind in range(2):
                start = self.base + layer * self.layer_bytes + kind * PAGES * PIECE
                for page in range(first, first + CHUNK // PAGE):
                    yield start + page * PIECE

    @staticmethod
    def keys(prompt: int) -> ctypes.Array:
        digest = b""
        keys = (Key * (TOKENS // CHUNK))()
        for chunk in range(len(keys)):
            first = prompt * TOKENS + chunk * CHUNK
            tokens = array.array("I", range(first, first + CHUNK)).tobytes()
            digest = hashlib.sha256(digest + tokens).digest()
            keys[chunk].bytes[:] = digest
        return keys

    def lookup(self, prompt: int) -> int:
        keys, found = self.keys(prompt), ctypes.c_size_t()
        self.check(self.lib.terrace_lookup(self.store, keys, ctypes.c_size_t(len(keys)), ctypes.byref(found),
                                           None, None, None, None))
        return found.value

    def put(self, prompt: int) -> None:
        keys = self.keys(prompt)
        specs = (Spec * len(keys))()
        for spec, key in zip(specs, keys):
            spec.key, spec.bytes = key, CHUNK_BYTES
        request = Request(size=ctypes.sizeof(Request), blocks=specs, count=len(keys))
        outcomes = (ctypes.c_uint8 * len(keys))()
        given = (ctypes.c_void_p * len(keys))()
        self.check(self.lib.terrace_reserve(self.store, ctypes.byref(request), outcomes, given, None))
        filled = [reservation for reservation in given if reservation]
        self.dropped += int(len(filled) < len(keys))
        for chunk, reservation in enumerate(filled):
            to = self.lib.terrace_reservation_buffer(ctypes.c_void_p(reservation), None)
            for source in self.pieces(chunk):
                ctypes.memmove(to, source, PIECE)
                to += PIECE
        handles = (ctypes.c_void_p * len(filled))(*filled)
        self.check(self.lib.terrace_commit(self.store, handles, ctypes.c_size_t(len(filled)), None,
                                           ctypes.c_uint64(0), None))

    def get(self, prompt: int) -> int:
        keys, blocks, count = self.keys(prompt), ctypes.c_void_p(), ctypes.c_size_t()
        self.check(self.lib.terrace_get(self.store, keys, ctypes.c_size_t(len(keys)), ctypes.c_int64(-1),
                                        None, ctypes.byref(blocks), None))
        delivered = self.lib.terrace_blocks_list(blocks, ctypes.byref(count))
        for chunk in range(count.value):
            source = delivered[chunk].data
            for to in self.pieces(chunk):
                ctypes.memmove(to, source, PIECE)
                source += PIECE
        self.lib.terrace_blocks_release(blocks)
        return count.value

    def fill(self, prompt: int) -> None:
        for chunk in range(TOKENS // CHUNK):
            for number, piece in enumerate(self.pieces(chunk)):
                ctypes.memset(piece, (prompt * 31 + chunk * 7 + number) % 256, PIECE)

    def content(self) -> bytes:
        return b"".join(ctypes.string_at(piece, PIECE) for chunk in range(TOKENS // CHUNK)
                        for piece in self.pieces(chunk))

    def clear(self) -> None:
        for chunk in range(TOKENS // CHUNK):
            for piece in self.pieces(chunk):
                ctypes.memset(piece, 0, PIECE)


def terrace(programs: Path, requests: int, l1_gib: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/run/socket"
        serve = [programs / "src/cli/terrace", "serve", "--socket", socket, "--l1", f"{l1_gib}GiB", "--set",
                 f"l1.largest_block={CHUNK_BYTES}B"]
        with running(serve, lambda text: "ready" in text):
            engine = Engine(programs / "src/capi/libterrace.so", socket)
            times: dict[str, list[float]] = {step: [] for step in STEPS}

            def timed(step: str, act: Callable[[int], object], prompt: int) -> object:
                begun = time.perf_counter()
                answer = act(prompt)
                times[step].append((time.perf_counter() - begun) * 1e3)
                return answer

            missed = 0
            for prompt in range(requests):
                engine.fill(prompt)
                expected = engine.content()
                timed("cold_lookup", engine.lookup, prompt)
                timed("cold_store", engine.put, prompt)
                found = timed("warm_lookup", engine.lookup, prompt)
                engine.clear()
                delivered = timed("warm_retrieve", engine.get, prompt)
                whole = found == delivered == TOKENS // CHUNK
                if whole and engine.content() != expected:
                    raise SystemExit(f"wrong bytes for prompt {prompt}")
                missed += int(not whole)
            answer: dict[str, object] = {step: statistics.median(values) for step, values in times.items()}
            answer["dropped"] = max(missed, engine.dropped)
            return answer


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench lmcache", description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20, help="prompts of 64 MiB (default 20)")
    parser.add_argument("--runs", type=int, default=3, help="turns of both sides (default 3)")
    parser.add_argument("--l1-gib", type=int, default=2, help="host memory of each server (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--programs", type=Path, default=ROOT / "build/release", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    program = install()
    ours, theirs = [], []
    for run in range(arguments.runs):
        print(f"turn {run + 1} of {arguments.runs}", file=sys.stderr, flush=True)
        theirs.append(lmcache(program, arguments.requests, arguments.l1_gib))
        ours.append(terrace(arguments.programs, arguments.requests, arguments.l1_gib))
    rows = []
    for step in (*STEPS, "dropped"):
        mine, other = [run[step] for run in ours], [run[step] for run in theirs]
        rows.append({"name": f"lmcache.{step}", "unit": "prompts" if step == "dropped" else "ms",
                     "ours": statistics.median(mine), "theirs": statistics.median(other),
                     "ours_min": min(mine), "ours_max": max(mine), "theirs_min": min(other),
                     "theirs_max": max(other), "runs": arguments.runs})
    if arguments.json:
        arguments.json.write_text(json.dumps({"lmcache": VERSION, "rows": rows}, indent=2) + "\n")
    print(f"{'row':24} {'Terrace':>22} {'LMCache ' + VERSION:>26} {'unit':>8}")
    for row in rows:
        mine = f"{row['ours']:.2f} ({row['ours_min']:.2f}-{row['ours_max']:.2f})"
        other = f"{row['theirs']:.2f} ({row['theirs_min']:.2f}-{row['theirs_max']:.2f})"
        print(f"{row['name']:24} {mine:>22} {other:>26} {row['unit']:>8}")


if __name__ == "__main__":
    main()
