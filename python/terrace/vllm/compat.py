"""What depends on the version of vLLM. Nothing else looks at versions, or at what vLLM keeps to itself."""

from typing import Any

import vllm

OLDEST = (0, 31)  # that the tests are run with (python/vllm_tests/run.py)


def check_version() -> None:
    """Raises ImportError, which names what is supported, for a vLLM that is too old."""
    version = tuple(int(part) for part in vllm.__version__.split("+")[0].split(".")[:2] if part.isdigit())
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ImportError(
            f"terrace.vllm: vLLM {vllm.__version__} is too old: {oldest} and later are supported"
        )


def keys_in_order(request: Any, group: bytes) -> list[bytes]:
    """The keys of a request's KV group in the order of its tokens, as far as vLLM has told.

    vLLM knows those of the whole prompt when it first asks. `group`: how the keys end.
    """
    positions: dict[bytes, int] = getattr(request, "_offload_key_positions", None) or {}
    return sorted((key for key in positions if key[-4:] == group), key=positions.__getitem__)
