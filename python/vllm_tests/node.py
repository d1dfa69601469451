"""vLLM's manager over a pool of our own, with one tier under it: for our tests and the bench."""

import mmap
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from vllm.v1.kv_offload.base import OffloadingConfig, ReqContext, ScheduleEndContext, make_offload_key
from vllm.v1.kv_offload.tiering.factory import SecondaryTierFactory
from vllm.v1.kv_offload.tiering.manager import CPUPrimaryTierOffloadingManager, TieringOffloadingManager


def key(number: int, group: int = 0) -> Any:
    return make_offload_key(number.to_bytes(32, "big"), group)


def paged(shape: tuple[int, int]) -> np.ndarray:
    """int8 of this shape that begins at a page, as vLLM's pool does."""
    memory = np.zeros(shape[0] * shape[1] + mmap.PAGESIZE, dtype=np.int8)
    first = -memory.ctypes.data % mmap.PAGESIZE
    return memory[first : first + shape[0] * shape[1]].reshape(shape)


def region_of(pool: np.ndarray) -> Any:
    """What vLLM's manager takes for its region of shared memory."""
    region = MagicMock()
    region.create_kv_memoryview.return_value = memoryview(pool)
    return region


def real_spec(spec: Any = None) -> Any:
    """The spec; when it is none, or a mock altogether, one whose configuration can be read."""
    if spec is not None and isinstance(spec.config, OffloadingConfig):
        return spec
    import tests.v1.kv_offload.tiering.test_fs_tier as fs_tests

    return fs_tests._make_offloading_spec()


class Node:
    """A scheduler's side of vLLM: `pool` in front, the tier of this configuration behind it."""

    def __init__(self, config: dict[str, Any], pool: np.ndarray) -> None:
        self.pool = pool
        self.primary = CPUPrimaryTierOffloadingManager(num_chunks=pool.shape[0], mmap_region=region_of(pool))
        view = self.primary.get_kv_memoryview()
        self.tier = SecondaryTierFactory.create_secondary_tier(config, view, real_spec())
        self.manager = TieringOffloadingManager(primary_tier=self.primary, secondary_tiers=[self.tier])
        self.requests = 0

    def request(self) -> ReqContext:
        self.requests += 1
        context = ReqContext(req_id=f"request {self.requests}")
        self.manager.on_new_request(context)
        return context

    def step(self) -> None:
        self.manager.on_schedule_end(ScheduleEndContext(new_req_ids=[], preempted_req_ids=()))

    def close(self) -> None:
        self.tier.shutdown()
