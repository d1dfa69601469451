"""vLLM's tiered offloading on its CPU platform, which vLLM's own spec refuses.

There the engine's KV cache is host memory too, so what vLLM does with device copies is a copy between two
tensors, on a thread of the worker's own: the engine goes on meanwhile.
"""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from vllm.platforms import current_platform
from vllm.v1.kv_offload.base import OffloadingWorker, TransferResult
from vllm.v1.kv_offload.cpu.shared_offload_region import SharedOffloadRegion
from vllm.v1.kv_offload.tiering.spec import TieringOffloadingSpec


class HostOffloadingSpec(TieringOffloadingSpec):
    """TieringOffloadingSpec that also works on vLLM's CPU platform. On others it is vLLM's own.

    For kv_connector_extra_config: "spec_name": "HostOffloadingSpec", "spec_module_path": "terrace.vllm".
    """

    _worker: OffloadingWorker | None

    def get_worker(self, kv_caches: Any) -> OffloadingWorker:
        if not current_platform.is_cpu():
            return super().get_worker(kv_caches)
        if self._worker is None:
            self._worker = self._host_worker(kv_caches)
        return self._worker

    def _host_worker(self, kv_caches: Any) -> "HostWorker":
        if self.config.canonical_layout:
            raise ValueError("HostOffloadingSpec: canonical_layout is not supported on the CPU platform")
        region = SharedOffloadRegion(
            engine_id=self._engine_id,
            num_chunks=self.num_chunks,
            rank=0 if self.replicated_layout else self.config.parallel.rank,
            kv_bytes_per_chunk=self.kv_bytes_per_chunk,
            cpu_page_size=self.cpu_page_size_per_worker,
        )
        try:
            return HostWorker(kv_caches, self.blocks_per_chunk, region)
        except BaseException:
            region.cleanup()
            raise


class HostWorker(OffloadingWorker):
    """Copies blocks between the engine's tensors and the slots of the pool, one job after the other."""

    def __init__(self, kv_caches: Any, blocks_per_chunk: int, region: SharedOffloadRegion) -> None:
        """kv_caches: vLLM's CanonicalKVCaches. region: the pool; the worker's own from now on."""
        self._blocks_per_chunk = blocks_per_chunk
        self._region = region
        self._refs = kv_caches.group_data_refs
        # Views for numpy: torch's own indexing may start threads of OpenMP beside the engine's.
        self._engine: list[np.ndarray] = []  # int8[blocks, page]
        self._pool: list[np.ndarray] = []  # int8[slots, blocks of a slot, page]
        for one in kv_caches.tensors:
            page = one.page_size_bytes
            self._engine.append(one.tensor.view(torch.int8).view(-1, page).numpy())
            slots = region.create_next_worker_view(page * blocks_per_chunk)
            shape = (slots.shape[0], blocks_per_chunk, page)
            self._pool.append(
                slots.as_strided(shape, (slots.stride(0), page, 1), slots.storage_offset()).numpy()
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="terrace-host-copy")
        self._running: dict[int, Future[TransferResult]] = {}

    def submit_store(self, job_id: int, src_spec: Any, dst_spec: Any) -> bool:
        """From the engine's blocks into slots."""
        return self._begin(job_id, src_spec, dst_spec.block_ids, True)

    def submit_load(self, job_id: int, src_spec: Any, dst_spec: Any) -> bool:
        """From slots into the engine's blocks."""
        return self._begin(job_id, dst_spec, src_spec.block_ids, False)

    def get_finished(self) -> list[TransferResult]:
        ended = [job_id for job_id, future in self._running.items() if future.done()]
        return [self._running.pop(job_id).result() for job_id in ended]

    def wait(self, job_ids: set[int]) -> None:
        for job_id in job_ids:
            if job_id in self._running:
                self._running[job_id].result()

    def shutdown(self) -> None:
        self._thread.shutdown(wait=True)
        self._engine.clear()
        self._pool.clear()
        self._region.cleanup()

    def _begin(self, job_id: int, engine: Any, slots: Any, store: bool) -> bool:
        self._running[job_id] = self._thread.submit(self._copy, job_id, engine, np.asarray(slots), store)
        return True

    def _copy(self, job_id: int, engine: Any, slots: Any, store: bool) -> TransferResult:
        begun, moved = time.monotonic(), 0
        blocks = np.asarray(engine.block_ids, dtype=np.int64)
        first_block = first_slot = 0
        for group, (size, index) in enumerate(zip(engine.group_sizes, engine.block_indices)):
            if size == 0:
                continue
            # The first block of a group may stand in the middle of its slot.
            places = np.arange(size) + index % self._blocks_per_chunk
            of_group = slots[first_slot : first_slot + int(places[-1]) // self._blocks_per_chunk + 1]
            slot, part = of_group[places // self._blocks_per_chunk], places % self._blocks_per_chunk
            block = blocks[first_block : first_block + size]
            for ref in self._refs[group]:
                tensor, pool, bytes_each = (
                    self._engine[ref.tensor_idx],
                    self._pool[ref.tensor_idx],
                    ref.page_size_bytes,
                )
                if store:
                    pool[slot, part, :bytes_each] = tensor[block, :bytes_each]
                else:
                    tensor[block, :bytes_each] = pool[slot, part, :bytes_each]
                moved += size * bytes_each
            first_block += size
            first_slot += len(of_group)
        return TransferResult(
            job_id=job_id, success=True, transfer_size=moved, transfer_time=time.monotonic() - begun
        )
