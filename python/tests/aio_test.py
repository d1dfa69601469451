"""Awaitable forms: results, many at once, and tasks that are cancelled."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import terrace
import terrace.aio
from conftest import BLOCK, Chain


def slow(tmp_path: Path, latency: str) -> dict[str, object]:
    return {
        "l1": {"budget": "16MiB", "mode": "staging"},
        "tiers": [{"kind": "mock", "mock": {"latency": latency}}],
    }


def test_operations_are_awaited(disk: dict[str, object]) -> None:
    async def main() -> None:
        async with terrace.aio.AsyncStore(terrace.open(disk)) as store:
            chains = [Chain(store.store, 3, seed=100 * i) for i in range(8)]
            for chain in chains:
                answers = store.store.reserve(chain.root, chain.keys, BLOCK)
                given = [a.reservation for a in answers if a.reservation is not None]
                for i, reservation in enumerate(given):
                    reservation.write(chain.data(i))
                await store.commit(given)
            await store.sync(10)
            found = await asyncio.gather(*(store.lookup(chain.keys) for chain in chains))
            assert [one.found for one in found] == [3] * 8
            got = await asyncio.gather(*(store.get(chain.keys) for chain in chains))
            for chain, blocks in zip(chains, got):
                assert [bytes(block) for block in blocks] == [chain.data(i) for i in range(3)]
            ticket = await store.prefetch(chains[0].keys)
            assert ticket.progress().ended
            assert await store.remove(chains[0].keys) == 3

    asyncio.run(main())


def test_into_memory(disk: dict[str, object]) -> None:
    async def main() -> None:
        async with terrace.aio.AsyncStore(terrace.open(disk)) as store:
            chain = Chain(store.store, 2)
            chain.put(store.store)
            pool = np.zeros(2 * BLOCK, dtype=np.uint8)
            region = store.store.register_region(pool)
            into = await store.get_into(chain.keys, region.slices([0, BLOCK], BLOCK))
            assert into.delivered == 2
            assert bytes(pool) == chain.data(0) + chain.data(1)

    asyncio.run(main())


def test_a_cancelled_task_gives_its_operation_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with terrace.aio.AsyncStore(terrace.open(slow(tmp_path, "200ms"))) as store:
            chain = Chain(store.store, 1)
            chain.put(store.store)
            await store.sync(10)
            task = asyncio.create_task(store.get(chain.keys, timeout=30))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(await store.get(chain.keys, timeout=30)) == 1

    asyncio.run(main())


def test_a_cancelled_get_into_ends_when_its_memory_is_free(tmp_path: Path) -> None:
    async def main() -> None:
        async with terrace.aio.AsyncStore(terrace.open(slow(tmp_path, "200ms"))) as store:
            chain = Chain(store.store, 1)
            chain.put(store.store)
            await store.sync(10)
            region = store.store.register_region(np.zeros(BLOCK, dtype=np.uint8))
            task = asyncio.create_task(store.get_into(chain.keys, region.slices([0], BLOCK), timeout=30))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            region.unregister()  # not busy

    asyncio.run(main())


def test_who_waits_for_a_store_that_is_closed_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        store = terrace.aio.AsyncStore(terrace.open(slow(tmp_path, "200ms")))
        chain = Chain(store.store, 1)
        chain.put(store.store)
        await store.sync(10)
        task = asyncio.create_task(store.get(chain.keys, timeout=30))
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(RuntimeError, match="was closed"):
            await task

    asyncio.run(main())


def test_one_store_on_two_loops_one_after_the_other(store: terrace.Store) -> None:
    chain = Chain(store, 1)
    chain.put(store)
    shared = terrace.aio.AsyncStore(store)
    for _ in range(2):
        assert len(asyncio.run(shared.get(chain.keys))) == 1
