"""TerraceTier: Terrace's disk tier behind vLLM's pool in host memory.

vLLM's pool is a registered region. A store writes its slots straight to the disk, a load reads straight into
them, and a job has ended when nothing touches its slots any more. Everything runs in vLLM's scheduler, which
never waits here: questions are answered from Terrace's index, IO is done by its own threads, and what has
ended is taken from a queue once a step.
"""

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import terrace
from terrace.vllm import compat
from terrace.vllm.jobs import Jobs
from terrace.vllm.options import TierSettings
from vllm.v1.kv_offload.base import (
    Locality,
    LookupResult,
    Medium,
    OffloadingEvent,
    RequestOffloadingContext,
)
from vllm.v1.kv_offload.tiering.base import JobResult, SecondaryTierManager

compat.check_version()
logger = logging.getLogger(__name__)

# Of the bytes of a block as vLLM lays it out; a change makes what was stored before a miss.
PRODUCER_VERSION = 1


def namespace_of(spec: Any, block_bytes: int) -> terrace.Namespace:
    """Everything that must be equal for a stored block to be usable, from vLLM's own configuration."""
    config = spec.config
    parallel = config.parallel
    agnostic = parallel.is_parallelism_agnostic or config.replicated_layout
    layout = {
        "block_bytes": block_bytes,
        "canonical": config.canonical_layout,
        "kv_cache_layout": config.kv_cache_layout,
        "replicated": config.replicated_layout,
        "tokens_per_hash": config.cache.tokens_per_hash,
        "groups": [[group.tokens_per_block, list(group.layer_names)] for group in config.groups],
        "parallel": None
        if agnostic
        else [parallel.tp_size, parallel.pp_size, parallel.pcp_size, parallel.dcp_size, parallel.rank],
    }
    text = json.dumps(layout, sort_keys=True, separators=(",", ":"))
    return terrace.Namespace(
        model_id=config.model.name,
        kv_dtype=str(config.model.dtype),
        layout_id=hashlib.sha256(text.encode()).hexdigest(),
        block_tokens=config.cache.tokens_per_hash * config.cache.blocks_per_chunk,
        producer="vllm",
        producer_version=PRODUCER_VERSION,
        groups=len(config.groups),
    )


class _Asked:
    """What a request was told this step: blocks that are pinned, and those that are not there."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._orders: dict[bytes, tuple[list[bytes], dict[bytes, int]]] = {}  # by KV group
        self.verdicts: dict[bytes, bool] = {}
        self.pins: list[terrace.Pin] = []

    def undecided_from(self, key: bytes) -> list[bytes]:
        """`key` and those behind it in its KV group, up to the first that has a verdict."""
        group = key[-4:]
        if group not in self._orders:
            order = compat.keys_in_order(self._request, group)
            self._orders[group] = (order, {one: at for at, one in enumerate(order)})
        order, places = self._orders[group]
        if key not in places:
            return [key]
        return list(itertools.takewhile(lambda one: one not in self.verdicts, order[places[key] :]))

    def release(self) -> None:
        for pin in self.pins:
            pin.release()


class TerraceTier(SecondaryTierManager):
    """A secondary tier of vLLM's tiered offloading. Its options are those of TierSettings."""

    medium: ClassVar[Medium] = Medium.STORAGE

    def __init__(
        self,
        offloading_spec: Any,
        primary_kv_view: memoryview,
        tier_type: str,
        backpressure_detector: Any = None,
        **options: Any,
    ) -> None:
        """Opens the store and registers vLLM's pool.

        Raises ValueError for an option that is unknown, missing or not allowed, OSError for directories that
        cannot be used.
        """
        settings = TierSettings.of(options)
        super().__init__(offloading_spec, primary_kv_view, tier_type, backpressure_detector)
        self.locality = Locality(settings.locality) if settings.locality is not None else None
        self._settings = settings
        self._block_bytes = block_bytes_of(primary_kv_view)
        assert primary_kv_view.shape is not None
        self._store = _open(settings, primary_kv_view.shape[0], self._block_bytes)
        try:
            self._region: terrace.Region | None = self._store.register_region(primary_kv_view.cast("B"))
            self._root = self._store.open_namespace(namespace_of(offloading_spec, self._block_bytes))
        except BaseException:
            self._store.close(0)
            raise
        self._jobs = Jobs(self._store)
        self._asked: dict[str, _Asked] = {}
        # Keys whose load failed for a request: a miss to it from then on, or it would ask for ever.
        self._failed: dict[str, set[bytes]] = {}
        self._loading: dict[int, str | None] = {}  # None: of a request that has ended
        events = offloading_spec.kv_events_config.enable_kv_cache_events
        if settings.enable_kv_events and not events:
            logger.warning(
                "TerraceTier: enable_kv_events is set, but vLLM's KV cache events are off: none are told"
            )
        self._events: list[OffloadingEvent] | None = [] if settings.enable_kv_events and events else None

    # --- questions

    def on_new_request(self, req_context: Any) -> RequestOffloadingContext:
        return RequestOffloadingContext()

    def lookup(self, key: bytes, req_context: Any) -> LookupResult:
        """From the index, without IO; a hit is pinned until the step ends, when its load has begun."""
        request = req_context.req_id
        if key in self._failed.get(request, ()):
            return LookupResult.MISS
        asked = self._asked.get(request)
        if asked is None:
            asked = self._asked[request] = _Asked(req_context)
        verdict = asked.verdicts.get(key)
        if verdict is None:
            self._look_up(asked, asked.undecided_from(key))
            verdict = asked.verdicts[key]
        return LookupResult.HIT if verdict else LookupResult.MISS

    def _look_up(self, asked: _Asked, names: Sequence[bytes]) -> None:
        try:
            found = self._store.lookup(self._keys(names), pin=True)
        except terrace.Error as error:
            logger.warning("TerraceTier: a lookup was refused: %s", error)
            asked.verdicts[names[0]] = False
            return
        if found.pin is not None:
            asked.pins.append(found.pin)
        # What stands behind the hole may be there all the same: it is asked for when its turn comes.
        for at, name in enumerate(names[: found.found + 1]):
            asked.verdicts[name] = at < found.found

    def _keys(self, names: Collection[bytes]) -> terrace.Keys:
        return terrace.Keys.of_digests(self._root, list(names), allow_weak=self._settings.allow_weak_hashes)

    def on_schedule_end(self, context: Any) -> None:
        """What was to be loaded has begun, and holds its blocks itself."""
        for asked in self._asked.values():
            asked.release()
        self._asked.clear()

    def on_request_finished(self, req_context: Any) -> None:
        self._failed.pop(req_context.req_id, None)
        for job, request in self._loading.items():
            if request == req_context.req_id:
                self._loading[job] = None
        if asked := self._asked.pop(req_context.req_id, None):
            asked.release()

    # --- transfers

    def submit_store(self, job_metadata: Any) -> None:
        names = list(job_metadata.keys)
        self._jobs.store(job_metadata.job_id, names, lambda: self._parts(job_metadata), self._root)

    def submit_load(self, job_metadata: Any) -> None:
        names = list(job_metadata.keys)
        self._loading[job_metadata.job_id] = job_metadata.req_context.req_id
        self._jobs.load(
            job_metadata.job_id, names, lambda: self._parts(job_metadata), self._settings.load_timeout
        )

    def _parts(self, job: Any) -> tuple[terrace.Keys, terrace.Slices]:
        assert self._region is not None, "the tier was shut down"
        # vLLM counts slots in int32: their bytes would not fit.
        offsets = np.asarray(job.chunk_ids, dtype=np.int64) * self._block_bytes
        return self._keys(job.keys), self._region.slices(offsets, self._block_bytes)

    def get_finished_jobs(self) -> Iterable[JobResult]:
        results = []
        for job in self._jobs.ended():
            is_load = job.number in self._loading
            request = self._loading.pop(job.number, None)
            if request is not None and job.failed:
                self._failed.setdefault(request, set()).update(job.failed)
            stored = not is_load and job.done and not job.failed
            if stored and self._events is not None:
                self._events.append(
                    OffloadingEvent(
                        keys=list(job.done), medium=self.medium, removed=False, locality=self.locality
                    )
                )
            seconds = time.monotonic() - job.begun
            moved = len(job.done) * self._block_bytes
            partly = tuple(job.done) if is_load and job.failed and job.done else None
            results.append(JobResult(job.number, not job.failed, partly, seconds, moved))
        return results

    def take_events(self) -> Iterable[OffloadingEvent]:
        events, self._events = self._events, None if self._events is None else []
        return events or ()

    def drain_jobs(self) -> None:
        """Waits until nothing touches vLLM's pool; what ended is told by the next get_finished_jobs."""
        self._jobs.drain()

    def shutdown(self) -> None:
        """Waits for the running jobs, however long, and closes the store."""
        if self._region is None:
            return
        self.on_schedule_end(None)
        self._jobs.drain()
        region, self._region = self._region, None
        self._store.close()
        region.unregister()


def _open(settings: TierSettings, slots: int, slot_bytes: int) -> terrace.Store:
    """Raises OSError for directories that cannot be used, as vLLM's own tiers do; else ValueError."""
    try:
        return terrace.open(settings.store_config(slots, slot_bytes))
    except terrace.Error as error:
        kind = ValueError if error.code == terrace.Code.INVALID_ARGUMENT else OSError
        raise kind(f"TerraceTier: {error}") from error


def block_bytes_of(view: memoryview) -> int:
    """Bytes of a slot of vLLM's pool, one row of it. Raises ValueError for memory that cannot be used."""
    if view.ndim != 2 or not view.c_contiguous or view.readonly:
        raise ValueError(
            f"TerraceTier: vLLM's pool has {view.ndim} dimensions: writable rows of slots are needed"
        )
    assert view.strides is not None
    size = view.strides[0]
    if size % 4096 != 0:
        raise ValueError(
            f"TerraceTier: a slot of vLLM's pool has {size} bytes: whole pages of 4096 are needed"
        )
    return size
