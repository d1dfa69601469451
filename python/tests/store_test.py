"""The store's calls from Python: what they give, what they refuse, and that a miss is a value."""

import ctypes
import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import terrace
from conftest import BLOCK, Chain
from terrace import Code, MissReason, ReserveOutcome


def test_what_was_stored_is_got_back(store: terrace.Store) -> None:
    chain = Chain(store, 5)
    chain.put(store)
    assert store.lookup(chain.keys).found == 5
    blocks = store.get(chain.keys)
    assert [bytes(block) for block in blocks] == [chain.data(i) for i in range(5)]
    assert blocks.reasons == []
    assert [block.key for block in blocks] == list(chain.keys)


def test_a_restart_finds_it_again_on_disk(disk: dict[str, object]) -> None:
    with terrace.open(disk) as store:
        chain = Chain(store, 3)
        chain.put(store)
        store.sync(10)
    with terrace.open(disk) as store:
        assert store.wait_recovered(10)
        blocks = store.get(chain.keys)
        assert [bytes(block) for block in blocks] == [chain.data(i) for i in range(3)]
        assert {block.source for block in blocks} == {1}


def test_a_miss_is_a_value_with_a_reason(store: terrace.Store) -> None:
    chain = Chain(store, 3)
    looked_up = store.lookup(chain.keys)
    assert looked_up.found == 0
    assert looked_up.reasons == [MissReason.UNKNOWN, MissReason.BEHIND_HOLE, MissReason.BEHIND_HOLE]
    blocks = store.get(chain.keys)
    assert len(blocks) == 0 and blocks.reasons[0] == MissReason.UNKNOWN
    assert str(blocks.reasons[0]) == "unknown"


def test_blocks_are_views_without_copies(store: terrace.Store) -> None:
    chain = Chain(store, 1)
    chain.put(store)
    block = store.get(chain.keys)[0]
    view = memoryview(block)
    assert view.readonly and view.nbytes == BLOCK
    array = np.asarray(view)
    tensor = np.from_dlpack(block)
    assert array.__array_interface__["data"][0] == tensor.__array_interface__["data"][0]
    assert bytes(tensor) == chain.data(0)
    assert store.stats()["leased_blocks"] == 1
    del block, view, array
    gc.collect()
    assert bytes(tensor) == chain.data(0), "leased as long as anything looks at it"
    del tensor
    gc.collect()
    assert store.stats()["leased_blocks"] == 0


def test_blocks_outlive_their_store(disk: dict[str, object]) -> None:
    with terrace.open(disk) as store:
        chain = Chain(store, 1)
        chain.put(store)
        blocks = store.get(chain.keys)
    del store
    gc.collect()
    assert bytes(blocks[0]) == chain.data(0)


def test_a_buffer_that_is_looked_at_cannot_be_committed(store: terrace.Store) -> None:
    chain = Chain(store, 2)
    answers = store.reserve(chain.root, chain.keys, BLOCK)
    given = [a.reservation for a in answers if a.reservation is not None]
    view = memoryview(given[0])
    view[:] = chain.data(0)
    array = np.from_dlpack(given[1])
    array[:] = np.frombuffer(chain.data(1), dtype=np.uint8)
    for held in (view, array):
        with pytest.raises(terrace.Error) as refused:
            store.commit(given)
        assert refused.value.code == Code.BUSY
        if isinstance(held, memoryview):
            held.release()
    del array, held
    gc.collect()
    store.commit(given)
    assert [bytes(block) for block in store.get(chain.keys)] == [chain.data(0), chain.data(1)]
    with pytest.raises(BufferError):
        memoryview(given[0])
    with pytest.raises(terrace.Error, match="committed or aborted"):
        store.commit(given)


def test_a_reservation_that_is_dropped_is_aborted(store: terrace.Store) -> None:
    chain = Chain(store, 1)
    answers = store.reserve(chain.root, chain.keys, BLOCK)
    assert answers[0].outcome == ReserveOutcome.BUFFER
    assert store.stats()["reservations"] == 1
    del answers
    gc.collect()
    assert store.stats()["reservations"] == 0


def test_put_and_get_into_move_between_registered_memory_and_the_disk(tmp_path: Path) -> None:
    config = {
        "l1": {"mode": "off"},
        "tiers": [{"kind": "disk", "disk": {"paths": [str(tmp_path)], "capacity": "64MiB"}}],
    }
    with terrace.open(config) as store:
        chain = Chain(store, 4)
        pool = np.zeros(8 * BLOCK + 4096, dtype=np.uint8)
        first = -pool.ctypes.data % 4096
        pool = pool[first : first + 8 * BLOCK]
        region = store.register_region(pool)
        assert len(region) == 8 * BLOCK
        for i in range(4):
            pool[i * BLOCK : (i + 1) * BLOCK] = np.frombuffer(chain.data(i), dtype=np.uint8)
        queue = store.make_queue()
        slices = region.slices(np.arange(4, dtype=np.int64) * BLOCK, BLOCK)
        assert (
            store.put(chain.root, chain.keys, slices, queue=queue, tag=7) == [ReserveOutcome.ACCEPTED] * 4
        )
        released: list[bytes] = []
        while len(released) < 4:
            events = queue.wait(10)
            assert events
            released += [e.key for e in events if e.kind == terrace.EventKind.RELEASED and e.tag == 7]
        assert sorted(released) == sorted(chain.keys)
        into = store.get_into(chain.keys, region.slices([(4 + i) * BLOCK for i in range(4)], BLOCK))
        assert into.wait(10)
        assert into.result().delivered == 4
        assert bytes(pool[4 * BLOCK :]) == b"".join(chain.data(i) for i in range(4))
        region.unregister()


def test_a_regions_memory_stays_while_it_is_used(store: terrace.Store) -> None:
    buffer = bytearray(BLOCK)
    region = store.register_region(buffer)
    with pytest.raises(BufferError):
        buffer.append(0)
    del region
    gc.collect()
    buffer.append(0)


def test_slices_outside_of_their_region_are_refused(store: terrace.Store) -> None:
    region = store.register_region(bytearray(2 * BLOCK))
    with pytest.raises(terrace.Error, match="slice 1 is bytes 12288 to 20480 of a region of 16384"):
        region.slices([0, 12288], BLOCK)
    with pytest.raises(terrace.Error, match=r"offsets\[0\] is -1"):
        region.slices([-1], BLOCK)
    with pytest.raises(terrace.Error, match="int64"):
        region.slices(np.zeros(2, dtype=np.int32), BLOCK)


def test_a_shared_region_is_of_a_memfd(store: terrace.Store) -> None:
    fd = os.memfd_create("pool", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4 * BLOCK)
    region = store.register_shared_region(fd, 0, 4 * BLOCK)
    assert len(region) == 4 * BLOCK
    os.close(fd)


def test_events_come_on_a_descriptor(store: terrace.Store) -> None:
    import select

    chain = Chain(store, 2)
    queue = store.make_queue()
    assert queue.poll() == []
    chain.put(store, queue=queue, tag=3)
    last = None
    while last != terrace.EventKind.WRITE_BATCH:
        assert select.select([queue], [], [], 10)[0]
        for event in queue.poll():
            assert event.tag == 3
            last = event.kind
    assert queue.wait(0) == []


def test_a_prefetch_brings_blocks_into_l1(disk: dict[str, object]) -> None:
    with terrace.open(disk) as store:
        chain = Chain(store, 3)
        chain.put(store)
        store.sync(10)
    with terrace.open(disk) as store:
        store.wait_recovered(10)
        queue = store.make_queue()
        ticket = store.prefetch(chain.keys, queue=queue, tag=1)
        assert queue.wait(10)[0].kind == terrace.EventKind.RESULT
        progress = ticket.progress()
        assert (progress.asked, progress.arrived, progress.ended) == (3, 3, True)
        assert len(store.get(chain.keys, ticket=ticket)) == 3


def test_a_pin_keeps_what_it_found(store: terrace.Store) -> None:
    chain = Chain(store, 2)
    chain.put(store)
    found = store.lookup(chain.keys, pin=True)
    assert found.pin is not None and bool(found.pin)
    assert [mask & 1 for mask in found.where] == [1, 1]
    found.pin.release()
    assert store.lookup(chain.keys).pin is None


def test_asking_shared_tiers(store: terrace.Store) -> None:
    chain = Chain(store, 2)
    chain.put(store)
    queue = store.make_queue()
    operation = store.lookup_async(chain.keys, queue=queue, tag=9)
    assert queue.wait(10)[0].tag == 9
    found = operation.take()
    assert found is not None and found.found == 2
    assert operation.take() is None


def test_families_of_several_members(store: terrace.Store) -> None:
    root = store.open_namespace(terrace.Namespace(model_id="sharded"))
    families = terrace.block_keys(root, list(range(8)), 4)
    for shard in range(2):
        keys = terrace.Keys([terrace.member_key(family, 0, shard, 2) for family in families])
        answers = store.reserve(root, keys, BLOCK)
        store.commit([a.reservation for a in answers if a.reservation is not None])
        assert store.lookup_families(families, groups=[(2, 0)]).found == (2 if shard else 0)


def test_removal_and_why(store: terrace.Store) -> None:
    chain = Chain(store, 2)
    chain.put(store)
    told = store.why(chain.keys[0])
    assert told["places"][0]["bytes"] == BLOCK and told["root"] == chain.root
    assert store.remove(chain.keys) == 2
    assert store.get(chain.keys).reasons[0] == MissReason.REMOVED
    assert store.why(chain.keys[0])["reason"] == MissReason.REMOVED
    chain.put(store)
    assert store.clear(root=chain.root) == 2


def test_keys_are_a_sequence_of_bytes() -> None:
    root = terrace.Namespace(model_id="m").root()
    keys = terrace.block_keys(root, list(range(40)), 4)
    assert len(keys) == 10 and len(keys[0]) == 32 and keys[-1] == keys[9]
    assert keys == terrace.Keys(list(keys)) == terrace.Keys.from_bytes(memoryview(keys))
    assert keys[2:6:2] == terrace.Keys([keys[2], keys[4]])
    assert keys[:5] + keys[5:] == keys
    with pytest.raises(IndexError):
        keys[10]
    hasher = terrace.PrefixHasher(root)
    families = [hasher.next(range(4 * i, 4 * i + 4)) for i in range(10)]
    assert terrace.Keys([terrace.member_key(f) for f in families]) == keys
    assert terrace.block_keys(root, np.arange(40, dtype=np.int64), 4) == keys


def test_keys_of_an_engines_digests() -> None:
    root = terrace.Namespace(model_id="m").root()
    digests = [bytes([i]) * 36 for i in range(3)]
    families = [terrace.family_of_digest(root, digest) for digest in digests]
    assert terrace.Keys.of_digests(root, digests) == terrace.Keys([terrace.member_key(f) for f in families])
    with pytest.raises(terrace.Error, match="weak"):
        terrace.Keys.of_digests(root, [b"x" * 16])
    assert len(terrace.Keys.of_digests(root, [b"x" * 16], allow_weak=True)) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, k: s.get([b"short"]), r"keys\[0\] has 5 bytes"),
        (lambda s, k: s.get(b"x" * 32), "Keys.from_bytes"),
        (lambda s, k: s.get(k, timeout=-1.0), "timeout is -1"),
        (lambda s, k: s.get(k, timeout=float("nan")), "timeout is nan"),
        (lambda s, k: s.reserve(k[0], k, [1, 2, 3]), "3 sizes for 2 keys"),
        (lambda s, k: s.reserve(k[0], k, -5), "bytes is -5"),
        (lambda s, k: s.reserve(k[0], k, 1 << 40), "block"),
        (lambda s, k: terrace.block_keys(k[0], [1, 2], 0), "block_tokens is 0"),
        (lambda s, k: terrace.block_keys(k[0], [1 << 40], 1), r"tokens\[0\]"),
        (lambda s, k: terrace.family_of_digest(k[0], b"weak"), "16"),
        (lambda s, k: terrace.Keys.from_bytes(b"x" * 33), "33 bytes"),
    ],
)
def test_bad_input_is_refused_in_words(store: terrace.Store, call: object, message: str) -> None:
    keys = terrace.block_keys(terrace.Namespace().root(), list(range(8)), 4)
    with pytest.raises(terrace.Error, match=message) as refused:
        call(store, keys)  # type: ignore[operator]
    assert isinstance(refused.value.code, Code)


def test_a_configuration_that_is_wrong_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(terrace.Error, match="l1.budget.*8 potatoes") as refused:
        terrace.open({"l1": {"budget": "8 potatoes"}})
    assert refused.value.code == Code.INVALID_ARGUMENT
    with pytest.raises(terrace.Error, match="nowhere"):
        terrace.open(tmp_path / "nowhere.yaml")
    with pytest.raises(terrace.Error, match="nobody listens"):
        terrace.connect(str(tmp_path / "socket"))


def test_a_closed_store_says_so(store: terrace.Store) -> None:
    store.close()
    with pytest.raises(terrace.Error) as refused:
        store.lookup(terrace.Keys([b"k" * 32]))
    assert refused.value.code == Code.CLOSED


def test_other_threads_run_while_a_call_waits(store: terrace.Store) -> None:
    queue = store.make_queue()
    ran = threading.Event()
    threading.Thread(target=ran.set).start()
    waited = queue.wait(0.05)
    assert waited == [] and ran.is_set()


def test_importing_starts_no_thread() -> None:
    import subprocess
    import sys

    count = "import os; before = len(os.listdir('/proc/self/task')); import terrace, terrace.aio;"
    count += "assert len(os.listdir('/proc/self/task')) == before"
    subprocess.run([sys.executable, "-c", count], check=True)


def test_memory_by_its_address(store: terrace.Store) -> None:
    memory = ctypes.create_string_buffer(2 * BLOCK)
    region = store.register_address(ctypes.addressof(memory), 2 * BLOCK)
    region.unregister()
    region.unregister()
