"""Transfers under way between vLLM's pool and the disk.

A job has ended when nothing touches its slots any more, which is what vLLM may reuse them after. All is done
in vLLM's scheduler thread; Terrace's own threads put what has happened into one queue.
"""

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence

import terrace
from terrace import EventKind, ReserveOutcome, WriteStatus

logger = logging.getLogger(__name__)

# The keys and slices of a job: terrace.Error for what cannot be named.
Parts = Callable[[], tuple[terrace.Keys, terrace.Slices]]


@dataclasses.dataclass
class Job:
    """One job. When it has ended, `done` and `failed` are all of its `names`, in their order."""

    number: int
    names: Sequence[bytes]
    begun: float = dataclasses.field(default_factory=time.monotonic)
    done: list[bytes] = dataclasses.field(default_factory=list)
    failed: list[bytes] = dataclasses.field(default_factory=list)
    # Of a store: what the disk has not told of, and keys whose slots it still reads.
    name_of: dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    lost: set[bytes] = dataclasses.field(default_factory=set)
    borrowed: set[bytes] = dataclasses.field(default_factory=set)
    told: bool = False
    into: terrace.IntoOperation | None = None


class Jobs:
    """The jobs of one tier."""

    def __init__(self, store: terrace.Store) -> None:
        self._store = store
        self._queue = store.make_queue()
        self._running: dict[int, Job] = {}
        self._ended: list[Job] = []

    def store(self, number: int, names: Sequence[bytes], parts: Parts, root: bytes) -> None:
        """Writes slots to the disk. Whatever is refused is a failure of the job, never an exception."""
        job = Job(number, names)
        if not names:
            return self._end(job)
        try:
            keys, slices = parts()
            outcomes = self._store.put(root, keys, slices, queue=self._queue, tag=number)
        except terrace.Error as error:
            return self._refuse(job, error)
        for name, key, outcome in zip(names, keys, outcomes):
            if outcome == ReserveOutcome.NO_ROOM:
                job.lost.add(name)
            elif outcome == ReserveOutcome.ACCEPTED:
                job.borrowed.add(key)
            job.name_of[key] = name
        self._running[number] = job

    def load(self, number: int, names: Sequence[bytes], parts: Parts, timeout: float) -> None:
        """Reads from the disk into slots; what has not come within `timeout` seconds has failed."""
        job = Job(number, names)
        if not names:
            return self._end(job)
        try:
            keys, slices = parts()
            job.into = self._store.get_into(keys, slices, timeout=timeout, queue=self._queue, tag=number)
        except terrace.Error as error:
            return self._refuse(job, error)
        self._running[number] = job

    def ended(self) -> Iterator[Job]:
        """Each job that has ended, once. Never waits."""
        while events := self._queue.poll():
            self._take(events)
        ended, self._ended = self._ended, []
        yield from ended

    def drain(self) -> None:
        """Waits until every job has ended."""
        while self._running:
            self._take(self._queue.wait())

    def _end(self, job: Job) -> None:
        self._running.pop(job.number, None)
        self._ended.append(job)

    def _refuse(self, job: Job, error: terrace.Error) -> None:
        logger.warning(
            "TerraceTier: job %d of %d blocks was refused: %s", job.number, len(job.names), error
        )
        job.failed.extend(job.names)
        self._end(job)

    def _take(self, events: Sequence[terrace.Completion]) -> None:
        for event in events:
            job = self._running.get(event.tag)
            if job is not None and self._ends(job, event):
                self._end(job)

    def _ends(self, job: Job, event: terrace.Completion) -> bool:
        if job.into is not None:
            if event.kind != EventKind.RELEASED:
                return False
            delivered = job.into.result().delivered
            job.done, job.failed = list(job.names[:delivered]), list(job.names[delivered:])
            job.into = None
            return True
        if event.kind == EventKind.WRITE and event.status != WriteStatus.OK:
            job.lost.add(job.name_of[event.key])
        elif event.kind == EventKind.RELEASED:
            job.borrowed.discard(event.key)
        elif event.kind == EventKind.WRITE_BATCH:
            job.told = True
        if not job.told or job.borrowed:
            return False
        job.done = [name for name in job.names if name not in job.lost]
        job.failed = [name for name in job.names if name in job.lost]
        return True
