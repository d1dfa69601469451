"""Awaitable forms of a store's operations, for asyncio.

    store = terrace.aio.AsyncStore(terrace.connect(socket))
    blocks = await store.get(keys, timeout=1.0)

Each event loop that awaits gets one completion queue, whose descriptor it watches; no thread is started.
A task that is cancelled gives its operation up.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

from terrace._terrace import (
    Blocks,
    Completion,
    CompletionQueue,
    EventKind,
    IntoResult,
    Keys,
    Lookup,
    PrefetchPolicy,
    PrefetchTicket,
    Reservation,
    Slices,
    Store,
    WriteBack,
)

KeyList = Keys | Sequence[bytes]
Operation = TypeVar("Operation")

__all__ = ["AsyncStore"]


class _Watch:
    """A queue whose events end futures of one loop."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue: CompletionQueue = store.make_queue()
        self._tags = itertools.count(1)
        self._waiting: dict[int, tuple[EventKind, asyncio.Future[Completion]]] = {}
        descriptor = self.queue.fileno()
        if descriptor < 0:
            raise OSError("no descriptor is left to watch a completion queue by")
        self._descriptor = descriptor
        loop.add_reader(descriptor, self._take)

    def expect(self, last: EventKind) -> "tuple[int, asyncio.Future[Completion]]":
        """A tag, and the future that ends with the operation's event of this kind."""
        tag = next(self._tags)
        future: asyncio.Future[Completion] = self.loop.create_future()
        self._waiting[tag] = (last, future)
        return tag, future

    def forget(self, tag: int) -> None:
        self._waiting.pop(tag, None)

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.remove_reader(self._descriptor)
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(RuntimeError("the AsyncStore was closed"))
        self._waiting.clear()

    def _take(self) -> None:
        while events := self.queue.poll():
            for event in events:
                last, future = self._waiting.get(event.tag, (None, None))
                if future is None or event.kind != last:
                    continue
                del self._waiting[event.tag]
                if not future.done():
                    future.set_result(event)


class AsyncStore:
    """A store whose waiting calls are awaited. The other calls are the store's own: ``self.store``.

    Use it from one event loop at a time; ``close`` it, or use it with ``async with``, which closes the store
    too.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._watch: _Watch | None = None

    async def __aenter__(self) -> "AsyncStore":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, timeout: float = 2.0) -> int:
        """As Store.close."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        return await asyncio.to_thread(self.store.close, timeout)

    async def get(
        self,
        keys: KeyList,
        *,
        timeout: float | None = None,
        write_back: WriteBack | None = None,
        ticket: PrefetchTicket | None = None,
    ) -> Blocks:
        """As Store.get: the longest prefix that is there and verified."""
        operation = await self._run(
            EventKind.RESULT,
            lambda queue, tag: self.store.get_async(
                keys, timeout=timeout, write_back=write_back, ticket=ticket, queue=queue, tag=tag
            ),
            lambda running: running.cancel(),
        )
        blocks = operation.take()
        if blocks is None:
            raise AssertionError("a get that has ended has no result")
        return blocks

    async def get_into(
        self,
        keys: KeyList,
        slices: Slices,
        *,
        timeout: float | None = None,
        write_back: WriteBack | None = None,
        ticket: PrefetchTicket | None = None,
    ) -> IntoResult:
        """As Store.get_into, until nothing touches the memory any more.

        When the task is cancelled the operation is too; the task ends when the memory is free.
        """
        operation = await self._run(
            EventKind.RELEASED,
            lambda queue, tag: self.store.get_into(
                keys,
                slices,
                timeout=timeout,
                write_back=write_back,
                ticket=ticket,
                queue=queue,
                tag=tag,
            ),
            lambda running: running.cancel(),
        )
        return operation.result()

    async def lookup(self, keys: KeyList, *, timeout: float | None = None) -> Lookup:
        """As Store.lookup_async: asks the tiers that others write too."""
        operation = await self._run(
            EventKind.RESULT,
            lambda queue, tag: self.store.lookup_async(keys, timeout=timeout, queue=queue, tag=tag),
            lambda running: running.cancel(),
        )
        found = operation.take()
        if found is None:
            raise AssertionError("a lookup that has ended has no result")
        return found

    async def prefetch(
        self, keys: KeyList, *, policy: PrefetchPolicy | None = None, write_back: WriteBack | None = None
    ) -> PrefetchTicket:
        """As Store.prefetch, until it has ended."""
        return await self._run(
            EventKind.RESULT,
            lambda queue, tag: self.store.prefetch(
                keys, policy=policy, write_back=write_back, queue=queue, tag=tag
            ),
            lambda running: running.cancel(),
        )

    async def commit(self, reservations: Sequence[Reservation]) -> None:
        """As Store.commit, until every write to the tiers has ended (or was dropped)."""
        await self._run(
            EventKind.WRITE_BATCH,
            lambda queue, tag: self.store.commit(reservations, queue=queue, tag=tag),
            lambda running: None,
        )

    async def sync(self, timeout: float) -> None:
        """As Store.sync, on a thread of asyncio's own."""
        await asyncio.to_thread(self.store.sync, timeout)

    async def remove(self, keys: KeyList, *, erase: bool = False) -> int:
        """As Store.remove, on a thread of asyncio's own."""
        return await asyncio.to_thread(self.store.remove, keys, erase=erase)

    def _watched(self) -> _Watch:
        loop = asyncio.get_running_loop()
        if self._watch is not None and self._watch.loop is not loop:
            self._watch.close()
            self._watch = None
        if self._watch is None:
            self._watch = _Watch(self.store, loop)
        return self._watch

    async def _run(
        self,
        last: EventKind,
        begin: "Callable[[CompletionQueue, int], Operation]",
        give_up: "Callable[[Operation], None]",
    ) -> Operation:
        watch = self._watched()
        tag, ended = watch.expect(last)
        try:
            operation = begin(watch.queue, tag)
        except BaseException:
            watch.forget(tag)
            raise
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            give_up(operation)
            # Its memory is the caller's again only when the event has come.
            while last == EventKind.RELEASED and not ended.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.shield(ended)
            watch.forget(tag)
            raise
        return operation
