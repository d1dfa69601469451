"""TerraceTier under vLLM's own manager, on a real disk: what vLLM's tests of its other tiers cannot ask."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node import Node, key, paged, real_spec
from terrace.vllm import TerraceTier
from vllm.v1.kv_offload.base import LookupResult

SLOTS, ROW = 8, 65536


class TestedNode(Node):
    """With our tier under it, and blocks whose bytes follow from their numbers."""

    def __init__(
        self, directory: Path, capacity: str = "64MiB", slots: int = SLOTS, row: int = ROW, **options: Any
    ) -> None:
        config = {"type": "TerraceTier", "module_path": "terrace.vllm", "paths": [str(directory)]}
        super().__init__({**config, "capacity": capacity, **options}, paged((slots, row)))
        self.row = row
        assert isinstance(self.tier, TerraceTier)
        assert self.tier._store.wait_recovered(10)

    def settle(self) -> None:
        until = time.monotonic() + 20
        self.step()
        while self.manager.has_pending_work():
            assert time.monotonic() < until, "jobs did not end"
            self.step()

    def fill(self, slot: int, number: int) -> None:
        self.pool[slot] = np.frombuffer(data(number, self.row), dtype=np.int8)

    def store(self, numbers: list[int]) -> None:
        context = self.request()
        keys = [key(n) for n in numbers]
        prepared = self.manager.prepare_store(keys, context)
        assert prepared is not None
        for slot, name in zip(prepared.store_spec.chunk_ids, prepared.keys_to_store):
            self.fill(int(slot), int.from_bytes(name[:32], "big"))
        self.manager.complete_store(prepared.keys_to_store, context)
        self.settle()
        self.manager.on_request_finished(context)

    def empty_pool(self) -> None:
        self.manager.reset_cache()
        self.pool[:] = 0

    def promote(self, numbers: list[int]) -> list[Any]:
        """What a request is told, step by step, until nothing is on its way."""
        context = self.request()
        keys = [key(n) for n in numbers]
        for _ in range(100):
            answers = [self.manager.lookup(one, context) for one in keys]
            self.settle()
            if not {LookupResult.HIT_PENDING, LookupResult.RETRY} & set(answers):
                break
        hits = [n for n, answer in zip(numbers, answers) if answer is LookupResult.HIT]
        if hits:
            spec = self.manager.prepare_load([key(n) for n in hits], context)
            for number, slot in zip(hits, spec.chunk_ids):
                assert self.pool[int(slot)].tobytes() == data(number, self.row), f"wrong bytes of {number}"
            self.manager.complete_load([key(n) for n in hits], context)
        self.manager.on_request_finished(context)
        return answers


def data(number: int, size: int = ROW) -> bytes:
    return np.random.default_rng(number).integers(0, 256, size, dtype=np.uint8).tobytes()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[TestedNode]:
    made = TestedNode(tmp_path)
    yield made
    made.close()


HIT, MISS = LookupResult.HIT, LookupResult.MISS


def test_a_pool_that_was_emptied_is_filled_from_the_disk(node: TestedNode) -> None:
    node.store([1, 2, 3])
    node.empty_pool()
    assert node.promote([1, 2, 3, 4]) == [HIT, HIT, HIT, MISS]


def test_all_of_the_pool_may_be_on_its_way_at_once(tmp_path: Path) -> None:
    node = TestedNode(tmp_path, capacity="512MiB", slots=1200, row=262144)
    node.store(list(range(1200)))
    node.empty_pool()
    assert node.promote(list(range(1200))) == [HIT] * 1200
    node.close()


def test_a_restart_finds_what_was_stored(tmp_path: Path) -> None:
    first = TestedNode(tmp_path)
    first.store([1, 2, 3])
    first.close()
    second = TestedNode(tmp_path)
    assert second.promote([1, 2, 3]) == [HIT, HIT, HIT]
    second.close()


def test_a_damaged_block_is_a_miss_and_the_request_goes_on(tmp_path: Path) -> None:
    node = TestedNode(tmp_path)
    node.store([1, 2, 3])
    node.empty_pool()
    for file in tmp_path.glob("*.data"):
        content = bytearray(file.read_bytes())
        at = content.find(data(2)[:64])
        if at >= 0:
            content[at + 1000] ^= 1
            file.write_bytes(content)
    assert node.promote([1, 2, 3])[:2] == [HIT, MISS]
    assert node.promote([1])[0] == HIT
    node.store([2])
    node.empty_pool()
    assert node.promote([1, 2, 3]) == [HIT, HIT, HIT]
    node.close()


def test_the_disk_holds_no_more_than_it_was_given(tmp_path: Path) -> None:
    node = TestedNode(tmp_path, capacity="16MiB")
    for number in range(0, 600, 4):
        node.store(list(range(number, number + 4)))
        node.empty_pool()
    used = sum(file.stat().st_blocks * 512 for file in tmp_path.iterdir())
    assert used <= 16 << 20
    assert node.promote([596, 597, 598, 599]) == [HIT] * 4, "the newest stays"
    assert node.promote([0]) == [MISS]
    node.close()


def test_a_late_load_is_a_miss_and_not_asked_for_again(tmp_path: Path) -> None:
    node = TestedNode(tmp_path, load_timeout=0.000001)
    node.store([1, 2])
    node.empty_pool()
    assert node.promote([1, 2]) == [MISS, MISS]
    node.close()


def test_more_of_the_configuration_leaves_the_rest_as_it_was(tmp_path: Path) -> None:
    node = TestedNode(tmp_path, "512MiB", 1200, 262144, config={"store": {}, "lookup": {"history": 10}})
    node.store(list(range(1200)))
    node.empty_pool()
    assert node.promote(list(range(1200))) == [HIT] * 1200
    node.close()


def test_groups_are_told_apart(node: TestedNode) -> None:
    context = node.request()
    one = key(7, group=0)
    prepared = node.manager.prepare_store([one], context)
    assert prepared is not None
    node.manager.complete_store([one], context)
    node.settle()
    assert node.tier.lookup(one, context) is HIT
    assert node.tier.lookup(key(7, group=1), context) is MISS


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"capacity": "8 potatoes"}, ValueError, "8 potatoes"),
        ({"path": "/tmp"}, ValueError, "unknown option 'path'.*paths"),
        ({"eviction": "fifo"}, ValueError, "fifo"),
        ({"load_timeout": 0}, ValueError, "load_timeout is 0"),
        ({"locality": "near"}, ValueError, "near"),
        ({"config": {"l1": {"budget": "1GiB"}}}, ValueError, "'config' names 'l1'"),
    ],
)
def test_what_is_wrong_is_said_at_start(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        TestedNode(tmp_path, **options)


def test_a_directory_another_engine_holds_is_said_at_start(node: TestedNode, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="another"):
        TestedNode(tmp_path)


def test_a_pool_whose_rows_are_no_pages_is_refused(tmp_path: Path) -> None:
    pool = memoryview(np.zeros((4, 1000), dtype=np.int8))
    with pytest.raises(ValueError, match="1000 bytes: whole pages"):
        TerraceTier(real_spec(), pool, "TerraceTier", paths=[str(tmp_path)], capacity="64MiB")
