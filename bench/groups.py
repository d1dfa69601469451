"""The comparisons, each a group of rows. What a figure means and its goal: docs/perf.md."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import fio
from file_per_block import FilePerBlock
from rows import Goal, NotRun, Row, above_theirs_at_most, both, ours_at_most, ratio_at_least, ratio_at_most
from sides import CannotRun, Pairs, Program, Sample, interleave, run_pairs

MIB, GIB = 1 << 20, 1 << 30


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    programs: Path               # where terrace-bench lies
    directory: Path              # on the device to be measured; ours alone
    engines: tuple[str, ...]     # uring, psync
    quick: bool = False

    runs: int = 5
    l1_bytes: int = GIB          # and the pool of every rival: a smaller one would stay in the host's cache

    @property
    def side_engines(self) -> tuple[str, ...]:
        """Engines of the rows that are not about the engine."""
        return self.engines[:1] if self.quick else self.engines

    def blocks(self, engine: str) -> tuple[int, ...]:
        if self.quick:
            return (MIB, 16 * MIB) if engine == self.engines[0] else (4 * MIB,)
        return (MIB, 4 * MIB, 16 * MIB, 32 * MIB)

    @property
    def capacity(self) -> int:
        return (5 if self.quick else 8) * GIB

    @property
    def turn_bytes(self) -> int:
        return GIB // 2 if self.quick else GIB

    @property
    def window_bytes(self) -> int:
        return (5 * GIB // 2) if self.quick else 3 * GIB

    @property
    def fio_seconds(self) -> float:
        return 1 if self.quick else 2

    def scratch(self, name: str) -> Path:
        return self.directory / name

    def store(self, directory: Path, block: int, engine: str, program: str = "terrace-bench", *,
              capacity: int = 0, window: int = 0) -> Program:
        sizes = {"--capacity": capacity or self.capacity, "--l1": self.l1_bytes,
                 "--window": window or self.window_bytes, "--block": block}
        flags = [word for name, size in sizes.items() for word in (name, str(size))]
        return Program([self.programs / program, "store", "--dir", directory, *flags, "--io", engine])

    def bare(self, file: Path, block: int, read_from: Path | None = None) -> Program:
        command: list[str | Path] = [
            self.programs / "terrace-bench", "bare", "--file", file,
            "--file-bytes", str(self.bare_file_bytes), "--pool", str(self.l1_bytes),
            "--block", str(block), "--depth", str(depth_of(block))]
        return Program(command + (["--read-dir", read_from] if read_from else []))

    @property
    def bare_file_bytes(self) -> int:
        return self.runs * self.turn_bytes


def depth_of(block: int) -> int:
    """32 MiB at the device, where a disk is at its fastest, and two blocks at least."""
    return max(2, 32 * MIB // block)


def size_name(block: int) -> str:
    return f"{block // MIB}MiB" if block >= MIB else f"{block // 1024}KiB"


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def speed_row(name: str, ours: list[Sample], theirs: list[Sample], goal: Goal | None) -> Row:
    return Row.of(name, "GB/s", [s.gb_per_second for s in ours], [s.gb_per_second for s in theirs], goal)


def cpu_row(name: str, ours: list[Sample], theirs: list[Sample], goal: Goal | None = None) -> Row:
    mine, bare = [s.cpu_per_gb for s in ours], [s.cpu_per_gb for s in theirs]
    return Row.of(f"{name}.cpu", "CPU-s/GB", mine, bare, goal)


Rows = Iterator[Row | NotRun]


def disk(plan: Plan) -> Rows:
    """The disk tier against the bare loop."""
    for engine in plan.engines:
        for block in plan.blocks(engine):
            name = f"{size_name(block)}.{engine}"
            try:
                yield from _disk_rows(plan, engine, block)
            except (CannotRun, OSError) as reason:
                yield NotRun(f"disk.*.{name}", str(reason))


def _disk_rows(plan: Plan, engine: str, block: int) -> Rows:
    name = f"{size_name(block)}.{engine}"
    goal = ratio_at_least(0.95)
    turn = plan.turn_bytes
    with folder(plan.scratch("disk")) as scratch:
        store_dir, file = scratch / "store", scratch / "bare.dat"
        with plan.store(store_dir, block, engine) as ours, plan.bare(file, block, store_dir) as theirs:
            write = (lambda: ours.ask("write", turn), lambda: theirs.ask("write", turn))
            mine, bare = interleave(plan.runs, *write)
            yield speed_row(f"disk.first_fill.{name}", mine, bare, None)

            ours.ask("settle")
            mine, bare = interleave(plan.runs, *write)
            row = speed_row(f"disk.write.{name}", mine, bare, goal)
            _note_fio(plan, row, "write", file, block)
            yield row
            yield cpu_row(f"disk.write.{name}", mine, bare)

            ours.ask("window")
            read = (lambda: ours.ask("read", turn), lambda: theirs.ask("read", turn))
            mine, bare = interleave(plan.runs, *read)
            row = speed_row(f"disk.read.{name}", mine, bare, goal)
            _note_fio(plan, row, "read", file, block)
            row.notes.append(f"engine in use: {ours.engine}")
            yield row
            yield cpu_row(f"disk.read.{name}", mine, bare)


def _note_fio(plan: Plan, row: Row, way: str, file: Path, block: int) -> None:
    if fio.available():
        speed = fio.alone(way, file, plan.bare_file_bytes, block, depth_of(block), plan.fio_seconds)
        row.notes.append(f"fio {speed:.2f} GB/s" if speed else "fio failed")


def beside_writer(plan: Plan) -> Rows:
    """Loads alone, stores alone, both at once."""
    for engine in plan.side_engines:
        try:
            yield from _beside_writer_rows(plan, engine, block=MIB)
        except (CannotRun, OSError) as reason:
            yield NotRun(f"beside_writer.*.{engine}", str(reason))


def _beside_writer_rows(plan: Plan, engine: str, block: int) -> Rows:
    seconds = 1.0 if plan.quick else 1.5
    with folder(plan.scratch("mixed")) as scratch:
        # So much room beside the window that what is read is never the least recently used.
        with plan.store(scratch / "store", block, engine, capacity=8 * GIB, window=3 * GIB // 2) as store:
            store.ask("settle")
            read_alone, write_alone, reads, writes = [], [], [], []
            for _ in range(plan.runs):
                read_alone.append(store.ask("read_for", seconds))
                write_alone.append(store.ask("write_for", seconds))
                read, write = store.ask_many("mixed", seconds, 2)
                reads.append(read)
                writes.append(write)
        read_row = speed_row(f"beside_writer.read.{engine}", reads, read_alone, ratio_at_least(0.6))
        write_row = speed_row(f"beside_writer.write.{engine}", writes, write_alone, ratio_at_least(0.1))
        if fio.available():
            _note_fio_mixed(plan, scratch / "bare.dat", block, read_row, write_row)
        yield read_row
        yield write_row


def _note_fio_mixed(plan: Plan, file: Path, block: int, read_row: Row, write_row: Row) -> None:
    with plan.bare(file, block) as bare:
        bare.ask("write", plan.bare_file_bytes)
    arguments = (file, plan.bare_file_bytes, block, depth_of(block), plan.fio_seconds)
    read, write = fio.alone("read", *arguments), fio.alone("write", *arguments)
    mixed = fio.beside_writer(*arguments)
    if not (read and write and mixed):
        read_row.notes.append("fio failed")
        return
    for row, both_run, alone in ((read_row, mixed[0], read), (write_row, mixed[1], write)):
        row.notes.append(f"fio {both_run:.2f} GB/s at once, {alone:.2f} alone: {both_run / alone:.2f}")


def file_per_block(plan: Plan) -> Rows:
    """The disk tier against a file per block in plain Python, cold on both sides."""
    for engine in plan.side_engines:
        for block in (4 * MIB,) if plan.quick or engine != plan.engines[0] else (MIB, 4 * MIB, 16 * MIB):
            try:
                yield from _file_per_block_rows(plan, engine, block)
            except (CannotRun, OSError) as reason:
                yield NotRun(f"file_per_block.*.{size_name(block)}.{engine}", str(reason))


def _file_per_block_rows(plan: Plan, engine: str, block: int) -> Rows:
    name = f"{size_name(block)}.{engine}"
    turn = plan.turn_bytes
    cpu_goals = {"buffered": ratio_at_most(0.5), "direct": above_theirs_at_most(0.1)}
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(folder(plan.scratch("files")))
        store = stack.enter_context(plan.store(scratch / "store", block, engine))
        store.ask("settle")
        rivals = {}
        for mode in cpu_goals:
            rivals[mode] = FilePerBlock(scratch / mode, block, plan.l1_bytes, mode == "direct")
            stack.callback(rivals[mode].close)
        for way in ("write", "read"):
            if way == "read":
                store.ask("window")
            turns = [getattr(rival, way) for rival in rivals.values()]
            mine = lambda: store.ask(way, turn)
            ours, *samples = interleave(plan.runs, mine, *(lambda work=work: work(turn) for work in turns))
            for (mode, goal), theirs in zip(cpu_goals.items(), samples):
                row = f"file_per_block.{way}.{mode}.{name}"
                yield speed_row(row, ours, theirs, ratio_at_least(1))
                yield cpu_row(row, ours, theirs, goal)


def sums(plan: Plan) -> Rows:
    """The same program with its payload sums and without them."""
    for engine in plan.side_engines:
        try:
            yield from _sums_rows(plan, engine, block=4 * MIB)
        except (CannotRun, OSError) as reason:
            yield NotRun(f"sums.*.{engine}", str(reason))


def _sums_rows(plan: Plan, engine: str, block: int) -> Rows:
    turn = plan.turn_bytes
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(folder(plan.scratch("sums")))
        with_sums = stack.enter_context(plan.store(scratch / "with", block, engine))
        no_sums = plan.store(scratch / "without", block, engine, "terrace-bench-no-sums")
        without = stack.enter_context(no_sums)
        for side in (with_sums, without):
            side.ask("settle")
        for way in ("write", "read"):
            if way == "read":
                with_sums.ask("window")
                without.ask("window")
            work = (lambda: with_sums.ask(way, turn), lambda: without.ask(way, turn))
            ours, theirs = interleave(plan.runs, *work)
            row = f"sums.{way}.{engine}"
            yield speed_row(row, ours, theirs, ratio_at_least(0.95))
            cpu = cpu_row(row, ours, theirs)
            cpu.notes.append(f"the sums cost {cpu.ours - cpu.theirs:.3f} CPU-s/GB")
            yield cpu


def _micro_rows(plan: Plan, name: str, arguments: list[str | Path],
                goal: Callable[[Pairs], Goal | None]) -> Rows:
    flags: list[str | Path] = ["--runs", str(plan.runs)] + (["--quick"] if plan.quick else [])
    try:
        for pairs in run_pairs([plan.programs / "terrace-bench", *arguments, *flags]):
            yield Row.of(pairs.name, pairs.unit, pairs.ours, pairs.theirs, goal(pairs))
    except CannotRun as reason:
        yield NotRun(name, str(reason))


def l1(plan: Plan) -> Rows:
    """Copies into and out of L1 against memcpy."""
    for block in (4 * MIB,) if plan.quick else (MIB, 4 * MIB, 16 * MIB, 32 * MIB):
        arguments: list[str | Path] = ["l1", "--block", str(block)]
        yield from _micro_rows(plan, f"l1.*.{size_name(block)}", arguments, lambda _: ratio_at_least(0.9))


def lookup(plan: Plan) -> Rows:
    """Lookups among 1 M blocks against the find loop of a bare map."""
    for row in _micro_rows(plan, "lookup.1M", ["lookup"], lambda _: ratio_at_least(0.5)):
        if isinstance(row, Row):
            fast = Goal("ours >= 10", lambda found: found.ours >= 10)
            row.goal = both(ratio_at_least(0.5), fast)
        yield row


def submit(plan: Plan) -> Rows:
    """Submitting calls against lock, push, eventfd under the same load."""
    for keys in (1, 256):
        p50 = ours_at_most(5 + 0.15 * keys)
        with folder(plan.scratch("submit")) as scratch:
            arguments: list[str | Path] = ["submit", "--dir", scratch, "--keys", str(keys)]
            arguments += ["--io", plan.engines[0]]
            yield from _micro_rows(plan, f"submit.*.{keys}", arguments,
                                   lambda pairs: p50 if pairs.name.endswith("p50") else ratio_at_most(2))


def restart(plan: Plan) -> Rows:
    """Opening a directory of 100 k blocks; `theirs` is the goal itself."""
    for engine in plan.side_engines:
        with folder(plan.scratch("restart")) as scratch:
            arguments: list[str | Path] = ["restart", "--dir", scratch / "store", "--io", engine]
            for row in _micro_rows(plan, f"restart.*.{engine}", arguments, lambda _: ratio_at_most(1)):
                row.name = row.name if isinstance(row, NotRun) else f"{row.name}.{engine}"
                yield row


def server(plan: Plan) -> Rows:
    """A server and its clients: round trips, copies, many clients, start and idleness."""
    blocks = "100000" if plan.quick else "1000000"
    parts: tuple[tuple[str, list[str | Path], Goal], ...] = (
        ("lookup", ["--blocks", blocks], ratio_at_most(1.3)),
        ("copy", ["--block", str(4 * MIB)], ratio_at_least(0.9)),
        ("clients", ["--block", str(4 * MIB)], ratio_at_least(0.85)),
        ("load", [], ratio_at_most(2)),
        ("idle", [], ratio_at_most(1)),
    )
    for part, flags, goal in parts:
        with folder(plan.scratch("server")) as scratch:
            command: list[str | Path] = [f"server-{part}", "--dir", scratch, *flags]
            yield from _micro_rows(plan, f"server.{part}", command, lambda _, goal=goal: goal)


GROUPS: dict[str, Callable[[Plan], Rows]] = {
    "disk": disk,
    "beside_writer": beside_writer,
    "file_per_block": file_per_block,
    "sums": sums,
    "l1": l1,
    "lookup": lookup,
    "submit": submit,
    "restart": restart,
    "server": server,
}
