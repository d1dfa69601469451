"""Runs vLLM's own tests of its tiers against Terrace's, as a pytest plugin (run.py loads it).

What is put in place, and nothing else:

- FileSystemTierManager and ExampleSecondaryTierManager are TerraceTier, in the modules that test them. What
  those tests look into (`chunks`, `completed_jobs`, ...) is answered from the store.
- Blocks' names get a hash of 32 bytes, as vLLM's have; the tests use shorter ones, which Terrace refuses.
- Pools begin at a page and have rows of whole pages, as vLLM's pool has; some tests use rows of 16 bytes.
- The example tier ends a job at once. Ours is waited for where the manager asks what has ended.

Tests of what only the other tier has (one file a block, its threads) are skipped, each with its reason.
"""

import functools
import hashlib
import itertools
import mmap
import tempfile
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vllm.v1.kv_offload.base as base
from node import paged, real_spec, region_of
from terrace.vllm import TerraceTier
from vllm.v1.kv_offload.tiering.base import TransferJob

FILES = "it looks at one file for each block; tier_test.py damages records instead"
THREADS = "it tests the threads of the other tier"
HELPER = "it tests the other tier's helper in C"
OWN = "it replaces the other tier's IO functions"

ROWS = "its pool has rows of 16 bytes, which vLLM's pool never has"

# By the test's name, up to its parameters.
SKIPPED = {
    "test_store_creates_file_and_lookup_succeeds": FILES,
    "test_failed_load_corrects_verdict_and_removes_corrupt_file": FILES,
    "test_batched_partial_load_failure_keeps_loaded_blocks": FILES,
    "test_batched_load_first_block_fails_marks_whole_batch": FILES,
    "test_transient_load_failure_leaves_file": FILES,
    "test_shutdown_discards_pending_tasks": THREADS,
    "test_basic_store_and_lookup": ROWS,
    "test_wait_idle_blocks_until_tasks_complete": THREADS,
    "test_batch_lookup_c_extension": HELPER,
    "test_batch_lookup_dispatch": HELPER,
    "test_mixed_job_results_emit_event_only_for_successful_job": OWN,
    "test_partially_failed_store_emits_no_event": OWN,
    "test_store_load_roundtrip_without_o_direct": OWN,
    "test_factory_forwards_locality_to_fs_tier": "tier_test.py has the factory make ours",
}

CAPACITY = "128MiB"


class _Names:
    """Where tests look whether a block is there: the path of something that exists while the store has it."""

    def __init__(self, tier: "StoreInPlace", directory: str) -> None:
        self._tier = tier
        self.base_path = f"{directory} {tier._root.hex()}"
        self._directory = directory

    def get_file_name(self, key: bytes) -> str:
        return self._directory if key in self._tier.chunks else f"{self._directory}/not there"


class _Stored(MutableMapping[bytes, bool]):
    """The example tier's dictionary of what it holds; setting a key stores a block."""

    def __init__(self, tier: "StoreInPlace") -> None:
        self._tier = tier
        self._known: dict[bytes, None] = {}

    def __setitem__(self, key: bytes, _: bool) -> None:
        self._tier.put_now([key])

    def __getitem__(self, key: bytes) -> bool:
        if self._tier.lookup(key, base.ReqContext(req_id="looks in")) is not base.LookupResult.HIT:
            raise KeyError(key)
        return True

    def __delitem__(self, key: bytes) -> None:
        self._tier._store.remove(self._tier._keys([key]))

    def note(self, keys: Any) -> None:
        self._known.update(dict.fromkeys(keys))

    def __iter__(self) -> Iterator[bytes]:
        return (key for key in self._known if key in self)

    def __contains__(self, key: object) -> bool:
        try:
            return self[key]  # type: ignore[index]
        except KeyError:
            return False

    def __len__(self) -> int:
        return sum(1 for _ in self)


class StoreInPlace(TerraceTier):
    """TerraceTier with the other tiers' arguments, and what their tests look into."""

    made: "list[StoreInPlace]" = []
    _numbers = itertools.count(1_000_000)

    def __init__(
        self,
        offloading_spec: Any,
        primary_kv_view: memoryview,
        tier_type: str,
        root_dir: str | None = None,
        backpressure_detector: Any = None,
        n_read_threads: int = 0,
        n_write_threads: int = 0,
        custom_param: int = 0,
        **options: Any,
    ) -> None:
        self._scratch = None if root_dir is not None else tempfile.TemporaryDirectory(prefix="terrace-vllm")
        paths = [root_dir if root_dir is not None else self._scratch.name]  # type: ignore[union-attr]
        super().__init__(
            real_spec(offloading_spec),
            primary_kv_view,
            tier_type,
            backpressure_detector,
            paths=paths,
            capacity=CAPACITY,
            **options,
        )
        self._store.wait_recovered(10)  # a start answers misses until the disk is read
        self.chunks = _Stored(self)
        self.file_mapper = _Names(self, paths[0])
        self.completed_jobs: list[Any] = []
        StoreInPlace.made.append(self)

    @property
    def events(self) -> Any:
        return self._events

    @property
    def _store_job_keys(self) -> dict[int, list[bytes]]:
        return {number: list(job.names) for number, job in self._jobs._running.items() if job.into is None}

    def get_num_chunks(self) -> int:
        self.drain_jobs()
        return len(self.chunks)

    def submit_store(self, job_metadata: Any) -> None:
        self.chunks.note(job_metadata.keys)
        super().submit_store(job_metadata)

    def put_now(self, keys: list[bytes]) -> None:
        """Stores what the pool's first slots hold, and waits."""
        number = next(self._numbers)
        slots = np.zeros(len(keys), dtype=np.int64)
        job = TransferJob(number, keys, slots, is_promotion=False, req_context=base.ReqContext("put"))
        TerraceTier.submit_store(self, job)
        self.drain_jobs()
        ended = list(TerraceTier.get_finished_jobs(self))
        assert [result.job_id for result in ended] == [number] and ended[0].success, ended
        self.chunks.note(keys)

    def shutdown(self) -> None:
        super().shutdown()
        if self._scratch is not None:
            self._scratch.cleanup()


class EndsAtOnce(StoreInPlace):
    """As the example tier, which is memory, and whose jobs have ended when they were submitted."""

    medium = base.Medium.CPU

    def submit_store(self, job_metadata: Any) -> None:
        super().submit_store(job_metadata)
        self.end()

    def submit_load(self, job_metadata: Any) -> None:
        super().submit_load(job_metadata)
        self.end()

    def end(self) -> None:
        TerraceTier.drain_jobs(self)
        self.completed_jobs += super().get_finished_jobs()

    def get_finished_jobs(self) -> Any:
        ended, self.completed_jobs = self.completed_jobs, []
        return ended


def _mock_region(num_chunks: int, row_bytes: int = 0) -> Any:
    return region_of(paged((num_chunks, mmap.PAGESIZE)))


def _long_names(make: Any) -> Any:
    @functools.wraps(make)
    def made(block_hash: bytes, group_idx: int) -> bytes:
        if len(block_hash) < 32:
            block_hash = hashlib.sha256(block_hash).digest()
        return make(block_hash, group_idx)

    return made


def pytest_configure(config: pytest.Config) -> None:
    base.make_offload_key = _long_names(base.make_offload_key)


def _lookup_now(tier: Any, keys: list[bytes], ctx: Any = None, timeout: float = 0) -> list[Any]:
    context = ctx if ctx is not None else base.ReqContext(req_id="test")
    answers = [tier.lookup(key, context) for key in keys]
    tier.on_schedule_end(base.ScheduleEndContext(new_req_ids=[], preempted_req_ids=()))
    return answers


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name = item.name.split("[")[0]
        module = Path(str(item.fspath)).name
        if module in ("test_fs_tier.py", "test_tiering_offloading.py") and name in SKIPPED:
            item.add_marker(pytest.mark.skip(reason=SKIPPED[name]))


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> Any:
    return _Module.from_parent(parent, path=module_path)


class _Module(pytest.Module):
    """A test module in which Terrace's tier stands for vLLM's."""

    def _getobj(self) -> Any:
        module = super()._getobj()
        name = Path(str(self.path)).name
        if name == "test_fs_tier.py":
            module.FileSystemTierManager = StoreInPlace
            module.lookup_and_wait = _lookup_now
        if name == "test_tiering_offloading.py":
            module.ExampleSecondaryTierManager = EndsAtOnce
            module._mock_mmap_region = _mock_region
        return module


@pytest.fixture(autouse=True)
def _no_store_is_left() -> Iterator[None]:
    yield
    while StoreInPlace.made:
        tier = StoreInPlace.made.pop()
        if tier._region is not None:
            tier.shutdown()
