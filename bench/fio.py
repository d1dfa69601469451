"""fio's figures for the same file, block and depth, printed beside ours when fio is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

JOB = ["--direct=1", "--ioengine=io_uring", "--time_based", "--output-format=json", "--group_reporting=0"]


def available() -> bool:
    return shutil.which("fio") is not None


def _run(arguments: list[str], seconds: float) -> dict[str, dict[str, float]]:
    """GB/s of each job, by job name and direction; empty when fio fails."""
    command = ["fio", *JOB, f"--runtime={seconds:g}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 3 + 60, check=False)
    if done.returncode != 0:
        return {}
    jobs = json.loads(done.stdout[done.stdout.index("{"):])["jobs"]
    return {job["jobname"]: {way: job[way]["bw_bytes"] / 1e9 for way in ("read", "write")} for job in jobs}


def _job(name: str, way: str, file: Path, begin: int, size: int, block: int,
         depth: int) -> list[str]:
    return [f"--name={name}", f"--rw={way}", f"--filename={file}", f"--offset={begin}",
            f"--size={size}", f"--bs={block}", f"--iodepth={depth}"]


def alone(way: str, file: Path, size: int, block: int, depth: int, seconds: float) -> float | None:
    """GB/s of one sequential job over an already written file."""
    return _run(_job("job", way, file, 0, size, block, depth), seconds).get("job", {}).get(way)


def beside_writer(file: Path, size: int, block: int, depth: int,
                  seconds: float) -> tuple[float, float] | None:
    """GB/s of a reader over the first half of the file and of a writer over the second, at once."""
    half = size // 2 // block * block
    reader = _job("reader", "read", file, 0, half, block, depth)
    writer = _job("writer", "write", file, half, half, block, depth)
    found = _run(reader + writer, seconds)
    if not {"reader", "writer"} <= found.keys():
        return None
    return found["reader"]["read"], found["writer"]["write"]
