"""What differs between the versions of vLLM that are supported. Nothing else looks at versions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import vllm

OLDEST = (0, 27)


def check_version() -> None:
    """Raises ImportError, which names what is supported, for a vLLM that is too old."""
    version = tuple(int(part) for part in vllm.__version__.split("+")[0].split(".")[:2] if part.isdigit())
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ImportError(
            f"terrace.vllm: vLLM {vllm.__version__} is too old: {oldest} and later are supported"
        )


def init_tier(init: Any, spec: Any, view: memoryview, tier_type: str, backpressure: Any) -> None:
    """SecondaryTierManager.__init__; backpressure came later than the rest."""
    if backpressure is None:
        init(spec, view, tier_type)
    else:
        init(spec, view, tier_type, backpressure)


def slots_of(job: Any) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The primary pool's slots of a TransferJob, of int32 or int64. Named block_ids before 0.29."""
    slots = getattr(job, "chunk_ids", None)
    return np.asarray(job.block_ids if slots is None else slots, dtype=np.int64)


def job_result(
    kind: type[Any],
    job_id: int,
    success: bool,
    successful: Sequence[bytes] | None,
    seconds: float,
    moved: int,
) -> Any:
    """A JobResult; transfer_bytes came later than the rest."""
    fields: dict[str, Any] = {"job_id": job_id, "success": success, "transfer_time": seconds}
    known = kind.__dataclass_fields__
    if "successful_keys" in known:
        fields["successful_keys"] = successful
    if "transfer_bytes" in known:
        fields["transfer_bytes"] = moved
    return kind(**fields)


def keys_behind(request: Any, key: bytes) -> list[bytes]:
    """`key` and what stands behind it in its request and KV group, in order, as far as vLLM tells.

    Versions that tell positions know the whole prompt when they first ask; others give the key alone.
    """
    positions: dict[bytes, int] | None = getattr(request, "_offload_key_positions", None)
    if not positions or key not in positions:
        return [key]
    first, group = positions[key], key[-4:]
    behind = [other for other, position in positions.items() if position > first and other[-4:] == group]
    behind.sort(key=positions.__getitem__)
    return [key, *behind]
