"""The sides of a comparison: each does a stretch of work on demand and says what it took."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS_MAX = 180


class CannotRun(Exception):
    """Why a row is missing."""


@dataclass(frozen=True)
class Sample:
    """Wall time, CPU time of the process (user and system) and payload bytes of a stretch of work."""

    seconds: float
    cpu_seconds: float
    bytes: int

    @property
    def gb_per_second(self) -> float:
        return self.bytes / self.seconds / 1e9

    @property
    def cpu_per_gb(self) -> float:
        return self.cpu_seconds / (self.bytes / 1e9)


Turn = Callable[[], Sample]


def interleave(runs: int, *turns: Turn) -> list[list[Sample]]:
    """A B A B: the samples of each turn, in order."""
    samples: list[list[Sample]] = [[] for _ in turns]
    for _ in range(runs):
        for turn, taken in zip(turns, samples):
            taken.append(turn())
    return samples


class Program:
    """A program that answers one JSON line to each command line (bench/serve.h). A context manager."""

    def __init__(self, command: list[str | Path]) -> None:
        self.name = Path(command[0]).name
        self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self.engine = ""
        try:
            self.engine = str(self._answer()["engine"])
        except CannotRun:
            self.close()
            raise

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, command: str, argument: float = 0) -> Sample:
        return self.ask_many(command, argument, 1)[0]

    def ask_many(self, command: str, argument: float, answers: int) -> list[Sample]:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{command} {argument}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise CannotRun(f"{self.name} ended early, before '{command}'") from None
        found = (self._answer() for _ in range(answers))
        return [Sample(float(a["seconds"]), float(a["cpu_seconds"]), int(a["bytes"])) for a in found]

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _answer(self) -> dict[str, str]:
        assert self._process.stdout
        timer = threading.Timer(ANSWER_SECONDS_MAX, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise CannotRun(f"{self.name} ended without an answer (exit code {self._process.wait()})")
        answer: dict[str, str] = json.loads(line)
        if "error" in answer:
            raise CannotRun(answer["error"])
        return answer


@dataclass(frozen=True)
class Pairs:
    """What a program measured in turns by itself."""

    name: str
    unit: str
    ours: list[float]
    theirs: list[float]


def run_pairs(command: list[str | Path], seconds_max: float = 300) -> list[Pairs]:
    """Runs a program whose lines are whole rows (bench/measure.h: print_pairs)."""
    try:
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                              timeout=seconds_max, check=False)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"took longer than {seconds_max:.0f} seconds") from None
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        if "error" in line:
            raise CannotRun(line["error"])
    if done.returncode != 0:
        raise CannotRun(f"{Path(command[0]).name} ended with exit code {done.returncode}")
    return [Pairs(**line) for line in lines]
