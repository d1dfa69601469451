#!/usr/bin/env python3
"""Terrace's tier beside vLLM's `fs` tier, both through vLLM's own manager and jobs, cold, in turns.

Prints a table: GB/s of stores and loads, CPU seconds for a GB, and the time of a lookup for each block. Needs
root to empty the page cache before loads.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import vllm.v1.kv_offload.tiering.fs.manager as fs_manager
from node import Node, key, paged
from vllm.v1.kv_offload.base import LookupResult, ReqContext, ScheduleEndContext

MIB = 1 << 20
KINDS = ("terrace", "fs_direct", "fs_buffered")
BLOCKS_A_REQUEST = 8


class MeasuredNode(Node):
    """With one of KINDS under it."""

    def __init__(self, kind: str, directory: Path, pool: np.ndarray, capacity: int) -> None:
        config: dict[str, Any] = {"type": "fs", "root_dir": str(directory)}
        if kind == "terrace":
            config = {"type": "TerraceTier", "module_path": "terrace.vllm", "paths": [str(directory)]}
            config["capacity"] = capacity
        probe = fs_manager.probe_o_direct
        fs_manager.probe_o_direct = lambda where: kind == "fs_direct" and probe(where)
        super().__init__(config, pool)
        fs_manager.probe_o_direct = probe

    def step(self) -> None:
        super().step()
        time.sleep(0.0002)  # an engine's step is longer

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 120
        while not condition():
            if time.monotonic() > end:
                raise SystemExit("bench.py: a job did not end in two minutes")
            self.step()

    def store(self, numbers: range) -> None:
        for first in range(numbers.start, numbers.stop, BLOCKS_A_REQUEST):
            keys = [key(n) for n in range(first, min(first + BLOCKS_A_REQUEST, numbers.stop))]
            context = self.request()
            # The pool is full of blocks that are still read from, at times.
            while (prepared := self.manager.prepare_store(keys, context)) is None:
                self.step()
            self.manager.complete_store(prepared.keys_to_store, context)
            self.manager.on_request_finished(context)
        self.until(lambda: not self.manager.has_pending_work())

    def load(self, numbers: range) -> int:
        """Blocks that were there."""
        found = 0
        waiting: list[tuple[ReqContext, list[Any]]] = []
        pending = list(range(numbers.start, numbers.stop, BLOCKS_A_REQUEST))
        half_a_pool = max(1, self.primary._num_chunks // (2 * BLOCKS_A_REQUEST))
        while pending or waiting:
            while pending and len(waiting) < half_a_pool:
                first = pending.pop(0)
                keys = [key(n) for n in range(first, min(first + BLOCKS_A_REQUEST, numbers.stop))]
                waiting.append((self.request(), keys))
            still = []
            for context, keys in waiting:
                answers = [self.manager.lookup(one, context) for one in keys]
                if {LookupResult.HIT_PENDING, LookupResult.RETRY} & set(answers):
                    still.append((context, keys))
                    continue
                found += sum(answer is LookupResult.HIT for answer in answers)
                self.manager.on_request_finished(context)
            waiting = still
            self.step()
        return found


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def drop_caches() -> None:
    os.sync()  # what is not written stays in memory
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3\n")


def transfers(kind: str, directory: Path, block: int, total: int) -> dict[str, float]:
    shutil.rmtree(directory, ignore_errors=True)
    pool = paged((max(16, 256 * MIB // block), block))
    pool[:] = np.random.default_rng(1).integers(-128, 127, pool.shape, dtype=np.int8)
    node = MeasuredNode(kind, directory, pool, 2 * total)
    blocks = range(total // block)
    figures = {}
    begun, used = time.monotonic(), cpu_seconds()
    node.store(blocks)
    seconds, cpu = time.monotonic() - begun, cpu_seconds() - used
    figures["store_gb_s"], figures["store_cpu_s_gb"] = total / seconds / 1e9, cpu / (total / 1e9)
    node.manager.reset_cache()
    drop_caches()
    begun, used = time.monotonic(), cpu_seconds()
    found = node.load(blocks)
    seconds, cpu = time.monotonic() - begun, cpu_seconds() - used
    loaded = found * block
    figures["load_gb_s"], figures["load_cpu_s_gb"] = loaded / seconds / 1e9, cpu / (loaded / 1e9)
    figures["found_share"] = found / len(blocks)
    node.close()
    shutil.rmtree(directory, ignore_errors=True)
    return figures


def lookups(kind: str, directory: Path, blocks: int) -> dict[str, float]:
    """A request of 256 blocks among so many, of 4 KiB each: from its first question to its last answer."""
    shutil.rmtree(directory, ignore_errors=True)
    node = MeasuredNode(kind, directory, paged((4096, 4096)), 64 * blocks * 1024)
    node.store(range(blocks))
    node.manager.reset_cache()
    times = []
    for turn in range(20):
        context = node.request()
        keys = [key((turn * 4099 + n) % blocks) for n in range(256)]
        begun = time.monotonic()
        while LookupResult.RETRY in [node.tier.lookup(one, context) for one in keys]:
            node.tier.on_schedule_end(ScheduleEndContext(new_req_ids=[], preempted_req_ids=()))
        times.append((time.monotonic() - begun) / len(keys) * 1e6)
        node.tier.on_schedule_end(ScheduleEndContext(new_req_ids=[], preempted_req_ids=()))
        node.manager.on_request_finished(context)
    node.close()
    shutil.rmtree(directory, ignore_errors=True)
    return {"lookup_us": statistics.median(times)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directory", type=Path, required=True, help="a folder on the disk to measure")
    parser.add_argument("--bytes", type=int, default=2048, help="MiB that each row stores and loads (2048)")
    parser.add_argument("--blocks", type=int, default=100_000, help="of the lookup row (100000)")
    parser.add_argument("--turns", type=int, default=3, help="of each row (3)")
    parser.add_argument("--json", type=Path, help="write all turns")
    arguments = parser.parse_args()

    rows: dict[str, dict[str, list[float]]] = {}
    for turn in range(arguments.turns):
        for block in (2 * MIB, 16 * MIB):
            for kind in KINDS:
                figures = transfers(kind, arguments.directory / "bench", block, arguments.bytes * MIB)
                for name, value in figures.items():
                    rows.setdefault(f"{block // MIB}MiB.{name}", {}).setdefault(kind, []).append(value)
        for kind in ("terrace", "fs_direct"):
            if turn == 0:
                figures = lookups(kind, arguments.directory / "bench", arguments.blocks)
                rows.setdefault("lookup_us", {}).setdefault(kind, []).append(figures["lookup_us"])
    print(f"{'row':24}" + "".join(f"{kind:>26}" for kind in KINDS))
    for name, kinds in rows.items():
        cells = []
        for kind in KINDS:
            values = kinds.get(kind)
            told = (
                f"{statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})" if values else "-"
            )
            cells.append(f"{told:>26}")
        print(f"{name:24}" + "".join(cells))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
