#!/usr/bin/env python3
"""The main job: a real model answers questions over a long document, its KV cache kept by Terrace.

The same questions are asked in every phase, greedily:

  reference  no cache: every prefill is computed
  cold       an empty store: computed, and stored
  l1         the same process again: from host memory
  restart    a new process after a clean stop: from disk
  killed     a new process after kill -9, once the writes had ended: from disk
  damaged    a few bytes of a middle block flipped on disk: what was restored ends exactly before it
  shared     a server and two processes: the second one restores what the first one stored and still holds
  survivor   a third process, after the first one was killed with signal 9

The generated tokens of all phases must equal the reference's. Times are those of a phase's first question,
from its submission, with the model loaded, to the first generated token.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import demo_plot

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "demo"
BLOCK_TOKENS = 64
SPEEDUP_MIN = 20.0
# From where the phases that restore everything do so.
SOURCES = {"l1": "l1", "restart": "disk", "killed": "disk", "shared": "l1", "survivor": "l1"}
TINY_DOCUMENT_BYTES = 2200  # the tiny model has one token a byte
HEADER_BYTES = 4096  # of a record, before its payload
QUESTIONS = (
    "Who has the power to declare war?",
    "How old must a person be to become President?",
    "How long do Senators serve?",
)


class DemoError(Exception):
    """Something the user has to know, in one line."""


@dataclass(frozen=True)
class Answer:
    question: str
    ttft_ms: float
    tokens_prompt: int
    tokens_restored: int
    bytes_restored: int
    source: str
    output_tokens: list[int]
    text: str
    keys: list[str]

    @staticmethod
    def of(entry: dict[str, Any]) -> Answer:
        fields = {name: entry[name] for name in Answer.__annotations__ if name != "keys"}
        return Answer(keys=entry.get("keys", []), **fields)


@dataclass(frozen=True)
class Phase:
    name: str
    answers: list[Answer]

    @property
    def first(self) -> Answer:
        return self.answers[0]

    @property
    def output_tokens(self) -> list[int]:
        return [token for answer in self.answers for token in answer.output_tokens]

    def to_json(self) -> dict[str, Any]:
        return {
            "ttft_ms": self.first.ttft_ms,
            "tokens_prompt": self.first.tokens_prompt,
            "tokens_restored": self.first.tokens_restored,
            "bytes_restored": self.first.bytes_restored,
            "source": self.first.source,
            "output_tokens": self.output_tokens,
            "questions": [
                {name: value for name, value in vars(answer).items() if name != "keys"}
                for answer in self.answers
            ],
        }


class Runner:
    """Runs terrace-llama with the flags that all phases share."""

    def __init__(self, options: argparse.Namespace, model: Path, document: Path, work: Path) -> None:
        self._options = options
        self._model = model
        self._document = document
        self._work = work

    def _command(self, report: Path, extra: Sequence[str]) -> list[str]:
        options = self._options
        command = [str(options.binary), "ask"]
        command += ["--model", str(self._model), "--document", str(self._document)]
        for question in options.question:
            command += ["--question", question]
        command += ["--block-tokens", str(BLOCK_TOKENS), "--ubatch", str(BLOCK_TOKENS)]
        command += ["--ctx", str(options.ctx)]
        command += ["--max-tokens", str(options.max_tokens), "--threads", str(options.threads)]
        command += ["--json", str(report)]
        return command + list(extra)

    def own_store(self, directory: Path) -> list[str]:
        return ["--store", str(directory), "--l1", self._options.l1, "--disk", self._options.disk]

    @contextmanager
    def server(self) -> Iterator[list[str]]:
        """A server with a store of its own; the words that send a process there."""
        options = self._options
        socket = self._work / "run" / "socket"
        command = [str(options.terrace), "serve", "--socket", str(socket), "--l1", options.l1, "--json"]
        command += ["--dir", str(self._work / "store-shared"), "--capacity", options.disk]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                if not process.stdout.readline():
                    raise DemoError("terrace serve ended before it was ready")
                yield ["--server", str(socket)]
            finally:
                process.terminate()
                process.wait()

    def ask(self, *extra: str) -> list[list[Answer]]:
        """The answers of each round. The prefill's progress bar is terrace-llama's own, on our stderr."""
        report = self._work / "answers.json"
        ended = subprocess.run(self._command(report, extra), stdout=subprocess.DEVNULL, check=False)
        if ended.returncode != 0:
            raise DemoError(f"terrace-llama ask ended with exit code {ended.returncode}")
        return read_rounds(report)

    def ask_and_kill(self, *extra: str) -> None:
        """Asks, waits for the writes to end, and kills the process with signal 9."""
        with self.asked_and_held(*extra):
            pass

    @contextmanager
    def asked_and_held(self, *extra: str) -> Iterator[None]:
        """A process that has asked and whose writes have ended; killed with signal 9 at the end."""
        command = self._command(self._work / "killed.json", [*extra, "--hold"])
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as process:
            assert process.stdout is not None
            try:
                if not any(line.strip() == "writes ended" for line in process.stdout):
                    raise DemoError("terrace-llama ask --hold ended before its writes did")
                yield
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait()


def read_rounds(report: Path) -> list[list[Answer]]:
    entries = json.loads(report.read_text())["answers"]
    rounds: list[list[Answer]] = [[] for _ in range(1 + max(entry["round"] for entry in entries))]
    for entry in entries:
        rounds[entry["round"]].append(Answer.of(entry))
    return rounds


def find_payload(terrace: Path, store: Path, key: str) -> tuple[Path, int]:
    """File and offset of a block's payload, as the operator's tool finds it."""
    command = [str(terrace), "ls", str(store), "--blocks", "--json"]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for block in listed["blocks"]:
        if block["key"] == key:
            return Path(block["file"]), block["offset"] + HEADER_BYTES
    raise DemoError(f"block {key} is not in {store}")


def flip_bytes(file: Path, offset: int, count: int = 3) -> None:
    with file.open("r+b") as data:
        data.seek(offset)
        original = data.read(count)
        data.seek(offset)
        data.write(bytes(byte ^ 0xFF for byte in original))
        data.flush()
        os.fsync(data.fileno())


def say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


def run_phases(runner: Runner, terrace: Path, work: Path) -> tuple[list[Phase], int]:
    """All phases, and where the damaged one must stop restoring."""
    store = work / "store"
    killed_store = work / "store-killed"
    use_store = (*runner.own_store(store), "--keys")

    say("reference: no cache, every prefill is computed")
    phases = [Phase("reference", runner.ask("--no-cache")[0])]
    say("cold and l1: an empty store; then the same questions again in the same process")
    cold, warm = runner.ask(*use_store, "--rounds", "2")
    phases += [Phase("cold", cold), Phase("l1", warm)]
    say("restart: a new process after a clean stop")
    phases.append(Phase("restart", runner.ask(*use_store)[0]))
    say("killed: another store, whose process gets kill -9 when its writes have ended; then a new process")
    runner.ask_and_kill(*runner.own_store(killed_store))
    phases.append(Phase("killed", runner.ask(*runner.own_store(killed_store))[0]))

    restarted = phases[3].first
    middle = restarted.tokens_restored // BLOCK_TOKENS // 2
    file, payload = find_payload(terrace, store, restarted.keys[middle])
    say(f"damaged: 3 bytes of block {middle} flipped in {file.name}")
    flip_bytes(file, payload + 1000)
    phases.append(Phase("damaged", runner.ask(*use_store)[0]))

    say("shared: a server; a second process asks what a first one, still there, has stored")
    with runner.server() as use_server:
        with runner.asked_and_held(*use_server):
            phases.append(Phase("shared", runner.ask(*use_server)[0]))
        say("survivor: the first process was killed; a third one asks")
        phases.append(Phase("survivor", runner.ask(*use_server)[0]))
    return phases, middle * BLOCK_TOKENS


def table(phases: Sequence[Phase]) -> str:
    cold = phases[1].first.ttft_ms
    lines = [
        f"{'phase':<10} {'first token':>13} {'sooner':>9} {'restored':>15} {'bytes':>10}  source   tokens",
        "-" * 80,
    ]
    for phase in phases:
        first = phase.first
        same = "as reference" if phase.output_tokens == phases[0].output_tokens else "DIFFERENT"
        lines.append(
            f"{phase.name:<10} {first.ttft_ms:>10.1f} ms {cold / first.ttft_ms:>8.1f}x"
            f" {first.tokens_restored:>7}/{first.tokens_prompt:<7} {first.bytes_restored / 2**20:>6.1f} MiB"
            f"  {first.source:<8} {same}"
        )
    return "\n".join(lines)


def failures(phases: Sequence[Phase], damaged_at: int, tiny: bool) -> list[str]:
    by_name = {phase.name: phase for phase in phases}
    found = [
        f"{phase.name}: the generated tokens differ from the reference's"
        for phase in phases
        if phase.output_tokens != by_name["reference"].output_tokens
    ]
    restored = by_name["damaged"].first.tokens_restored
    if restored != damaged_at:
        found.append(f"damaged: {restored} tokens were restored; the damaged block begins at {damaged_at}")
    whole = (by_name["cold"].first.tokens_prompt - 1) // BLOCK_TOKENS * BLOCK_TOKENS
    for name, expected in (("cold", 0), *((name, whole) for name in SOURCES)):
        restored = by_name[name].first.tokens_restored
        if restored != expected:
            found.append(f"{name}: {restored} tokens were restored, expected {expected}")
    for name, source in SOURCES.items():
        if by_name[name].first.source != source:
            found.append(f"{name}: restored from {by_name[name].first.source}, expected {source}")
        speedup = by_name["cold"].first.ttft_ms / by_name[name].first.ttft_ms
        if not tiny and speedup < SPEEDUP_MIN:
            found.append(f"{name}: {speedup:.1f} times sooner than cold, expected {SPEEDUP_MIN:.0f}")
    return found


def results(
    phases: Sequence[Phase], model: Path, damaged_at: int, problems: list[str]
) -> dict[str, Any]:
    by_name = {phase.name: phase for phase in phases}
    cold = by_name["cold"].first.ttft_ms
    report: dict[str, Any] = {"model": model.name}
    report |= {phase.name: phase.to_json() for phase in phases}
    report["damaged"]["damaged_block_begins_at"] = damaged_at
    report["tokens_identical"] = all(phase.output_tokens == phases[0].output_tokens for phase in phases)
    report["speedup"] = {name: cold / by_name[name].first.ttft_ms for name in SOURCES}
    report["failures"] = problems
    return report


def default_model() -> Path:
    command = [str(HERE / "fetch.sh"), "--print", "model"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def prepare(options: argparse.Namespace, work: Path) -> tuple[Path, Path]:
    """Model and document."""
    for program in (options.binary, options.terrace):
        if not program.is_file():
            raise DemoError(f"{program}: not built; run ./dev demo, which builds it first")
    document: Path = options.document
    if not document.is_file():
        raise DemoError(f"document {document}: no such file")
    if options.tiny:
        model = work / "tiny.gguf"
        subprocess.run([options.binary, "tiny", model], check=True)
        short = work / "document.txt"
        options.threads = options.threads or 1  # too little work for two
        short.write_bytes(document.read_bytes()[:TINY_DOCUMENT_BYTES])
        return model, short
    model = options.model or default_model()
    if not model.is_file():
        raise DemoError(f"model {model}: no such file; run {HERE / 'fetch.sh'} --only model, or give --model")
    return model, document


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--model", type=Path, help="any GGUF (default: SmolLM2-135M-Instruct, see fetch.sh)")
    parser.add_argument("--tiny", action="store_true", help="a tiny random model, a short document: quick")
    parser.add_argument("--document", type=Path, default=HERE / "data" / "document.txt")
    parser.add_argument("--question", action="append", help="may be given several times")
    parser.add_argument("--max-tokens", type=int, default=24, help="longest answer (default: 24)")
    parser.add_argument("--ctx", type=int, default=8192, help="context size in tokens (default: 8192)")
    parser.add_argument("--threads", type=int, default=0, help="0: one per CPU (default)")
    parser.add_argument("--l1", default="512MiB", help="host memory for blocks (default: 512MiB)")
    parser.add_argument("--disk", default="2GiB", help="capacity of each store (default: 2GiB)")
    parser.add_argument("--work-dir", type=Path, help="where the stores go and stay (default: temporary)")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--plot", type=Path, default=ROOT / "build" / "demo.svg", help="default: %(default)s")
    parser.add_argument(
        "--binary", type=Path, default=BUILD / "integrations" / "llama_cpp" / "terrace-llama"
    )
    parser.add_argument("--terrace", type=Path, default=BUILD / "src" / "cli" / "terrace")
    options = parser.parse_args(arguments)
    options.question = options.question or list(QUESTIONS)
    if options.tiny and options.model:
        parser.error("--tiny and --model: only one of them")
    if options.max_tokens < 1:
        parser.error(f"--max-tokens {options.max_tokens}: at least 1 is allowed")
    return options


def run(options: argparse.Namespace, work: Path) -> int:
    model, document = prepare(options, work)
    phases, damaged_at = run_phases(Runner(options, model, document, work), options.terrace, work)
    problems = failures(phases, damaged_at, options.tiny)
    for answer in phases[0].answers:
        print(f"Question: {answer.question}\nAnswer:{answer.text}\n")
    print(table(phases))
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    times = [(phase.name, phase.first.ttft_ms) for phase in phases]
    options.plot.write_text(demo_plot.bars(times, model.name))
    print(f"\nPlot: {options.plot}")
    if options.json:
        options.json.write_text(json.dumps(results(phases, model, damaged_at, problems), indent=2) + "\n")
        print(f"Results: {options.json}")
    for problem in problems:
        print(f"demo: FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    work = options.work_dir or Path(tempfile.mkdtemp(prefix="terrace-demo-"))
    try:
        for name in ("store", "store-killed", "store-shared"):
            if (work / name).exists():
                raise DemoError(f"{work / name} exists; --work-dir needs a directory without it")
        work.mkdir(parents=True, exist_ok=True)
        return run(options, work)
    except (DemoError, OSError, subprocess.CalledProcessError) as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.work_dir:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
