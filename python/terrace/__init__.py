"""Terrace: a store for the KV blocks of LLM inference, in host memory and the tiers behind it.

    import terrace

    with terrace.open({"l1": {"budget": "1GiB"}}) as store:
        root = store.open_namespace(terrace.Namespace(model_id="m", block_tokens=16))
        keys = terrace.block_keys(root, tokens, 16)
        answers = store.reserve(root, keys, bytes=block_bytes)
        for answer, data in zip(answers, blocks):
            if answer.reservation is not None:
                answer.reservation.write(data)
        store.commit([a.reservation for a in answers if a.reservation is not None])

        for block in store.get(keys):
            use(memoryview(block))

Calls release the GIL while they wait, and may come from any thread; importing starts none. A miss is a
value with a reason, never an exception. Times are seconds, sizes bytes.
"""

from terrace._open import open
from terrace._terrace import (
    Block,
    Blocks,
    Code,
    Completion,
    CompletionQueue,
    DropCause,
    Error,
    EventKind,
    FamilyLookup,
    GetOperation,
    IntoOperation,
    IntoResult,
    Keys,
    L1Mode,
    Lookup,
    LookupOperation,
    MissReason,
    Namespace,
    Pin,
    PrefetchPolicy,
    PrefetchProgress,
    PrefetchTicket,
    PrefixHasher,
    Region,
    Reservation,
    ReserveAnswer,
    ReserveOutcome,
    Slices,
    Store,
    WriteBack,
    WriteStatus,
    block_keys,
    connect,
    family_of_digest,
    member_key,
    tenant_name,
)

__all__ = [
    "Block",
    "Blocks",
    "Code",
    "Completion",
    "CompletionQueue",
    "DropCause",
    "Error",
    "EventKind",
    "FamilyLookup",
    "GetOperation",
    "IntoOperation",
    "IntoResult",
    "Keys",
    "L1Mode",
    "Lookup",
    "LookupOperation",
    "MissReason",
    "Namespace",
    "Pin",
    "PrefetchPolicy",
    "PrefetchProgress",
    "PrefetchTicket",
    "PrefixHasher",
    "Region",
    "Reservation",
    "ReserveAnswer",
    "ReserveOutcome",
    "Slices",
    "Store",
    "WriteBack",
    "WriteStatus",
    "block_keys",
    "connect",
    "family_of_digest",
    "member_key",
    "open",
    "tenant_name",
]
