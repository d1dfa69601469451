"""One message of each kind of the protocol's version 1, as flatc's JSON.

golden_frames_1.txt has them as bytes. What stands there is never changed: a client or a server of that
day may send it. A new kind of message, or a new field, gets a new entry here and, by `golden_test.py --add`,
a new line there.
"""

from typing import Any


def key(first: int) -> dict[str, Any]:
    return {"bytes": [(first + i) % 256 for i in range(32)]}


def block(first: int) -> dict[str, Any]:
    return {"key": key(first), "family": key(first + 1), "bytes": 65536, "group": 1, "shard": 2, "shards": 4}


NAMESPACE = {"model_id": "model", "model_fingerprint": "print", "kv_dtype": "bf16", "layout_id": "layout",
             "block_tokens": 64, "producer": "test", "producer_version": 3, "adapter": "lora",
             "tenant_salt": "salt", "groups": 2}
KEYS = {"slot": 3, "keep": 5, "keys": [key(1), key(2)], "sum": 1234567890123}
PLACE = {"memory": 9, "offset": 4096, "bytes": 65536}
SLICE = {"region": 4, "offset": 8192, "bytes": 65536}
LATENCY = {"count": 5, "p50_us": 1.5, "p90_us": 2.5, "p99_us": 3.5, "max_us": 4.5, "mean_us": 2.25}
QUOTA = {"tenant": "", "l1": 1048576, "tiers": [{"tier": "disk", "bytes": 2097152}], "reserved": 4096,
         "leased": 8192}
SHARE = {"bytes": 1, "blocks": 2, "above": 3, "evictions": 4, "refusals": 5}
TIER = {"name": "disk", "state": "ready", "engine": "uring", "last_error": "none", "used_bytes": 1,
        "allocated_bytes": 2, "capacity_bytes": 3, "blocks": 4, "loads": 5, "load_bytes": 6, "load_errors": 7,
        "writes": 8, "write_bytes": 9, "write_errors": 10, "drops": [1, 2, 3], "evictions": 11,
        "evicted_segments": 12, "verification_failures": 13, "hits": 14, "misses": [4, 5, 6],
        "read_latency": LATENCY, "write_latency": LATENCY, "paths": ["/store: ready"]}

BODIES: dict[str, dict[str, Any]] = {
    "Hello": {"major": 1, "minor": 2, "client": "rank 0", "namespaces": [NAMESPACE]},
    "OpenNamespace": NAMESPACE,
    "Reserve": {"root": key(1), "parent": key(2), "blocks": [block(3), block(9)], "wait_ms": 250},
    "Commit": {"reservations": [1, 2], "tag": 7},
    "Abort": {"reservations": [3]},
    "Put": {"root": key(1), "parent": key(2), "blocks": [block(3)], "from": [SLICE], "tag": 8},
    "Lookup": {"keys": KEYS, "pin": True, "elsewhere": True, "wait_ms": 10},
    "LookupFamilies": {"families": KEYS, "groups": [{"shards": 2, "window": 16}]},
    "Get": {"keys": KEYS, "timeout_ms": 5, "write_back": 1, "prefetch": 6},
    "GetInto": {"keys": KEYS, "to": [SLICE, SLICE], "timeout_ms": 5, "write_back": 2, "prefetch": 6},
    "Prefetch": {"keys": KEYS, "policy": 1, "write_back": 1, "tag": 9},
    "AskProgress": {"prefetch": 6},
    "Cancel": {"requests": [10, 11]},
    "RegisterRegion": {"offset": 4096, "bytes": 1048576},
    "UnregisterRegion": {"region": 4},
    "Release": {"holds": [12, 13], "arrived": [6]},
    "Remove": {"keys": [key(1), key(2)], "erase": True},
    "Clear": {"root": key(1), "tenant_salt": "salt", "all": True, "erase": True},
    "Unmapped": {"memories": [9]},
    "Sync": {"timeout_ms": 1000},
    "AwaitRecovery": {"timeout_ms": 1000},
    "AskStats": {},
    "Welcome": {"major": 1, "minor": 2, "session": 5, "mode": 1, "l1_bytes": 1073741824, "timeout_ms": 1000,
                "namespaces": [key(1)]},
    "NamespaceRoot": {"root": key(1)},
    "Reserved": {"outcomes": [0, 1, 4], "buffers": [{"reservation": 1, "place": PLACE}]},
    "Stored": {"outcomes": [3, 1]},
    "Found": {"found": 2, "where": [1, 3], "reasons": [2, 15], "pin": 14},
    "Delivered": {"lease": 15, "places": [PLACE], "sources": [1], "reasons": [1]},
    "DeliveredInto": {"delivered": 2, "sources": [0, 1], "reasons": [5]},
    "MemoryReleased": {},
    "Prefetching": {"prefetch": 6},
    "PrefetchProgress": {"asked": 5, "arrived": 3, "failed": 1, "ended": True},
    "Registered": {"region": 4},
    "Removed": {"blocks": 2},
    "Recovered": {"all": True},
    "Stats": {"tiers": [TIER], "page_state": "4 KiB pages", "keys_asked": 1, "keys_delivered": 2,
              "misses": [1, 2], "unknown_asked": 3, "unknown_delivered": 4, "unknown_misses": [5],
              "reservations": 6, "reserved_bytes": 7, "leased_blocks": 8, "writes_in_flight_bytes": 9,
              "private_bytes": 10, "recovering": True},
    "Done": {},
    "Failed": {"code": 3, "message": "what was wrong, and what is allowed"},
    "Event": {"tag": 7, "kind": 1, "status": 2, "cause": 3, "tier": 1, "key": key(1), "code": 4,
              "message": "why"},
    "Subscribe": {},
    "SetQuota": QUOTA,
    "AskTenants": {},
    "SetMode": {"mode": 1},
    "DrainTier": {"tier": "disk", "timeout_ms": 1000},
    "ResumeTier": {"tier": "disk"},
    "AskSessions": {},
    "SetLimits": {"reserved_bytes": 1048576, "leased_bytes": 2097152},
    "AskNamespaces": {},
    "List": {"root": key(1), "after": key(2), "limit": 100},
    "AskWhy": {"key": key(1)},
    "Amount": {"amount": 4096},
    "Tenants": {"tenants": [{"name": "", "tiers": [SHARE], "reserved_bytes": 6, "leased_bytes": 7,
                             "quota": QUOTA}]},
    "Sessions": {"sessions": [{"number": 1, "client": "rank 0", "process": 100, "user": 1000,
                               "quarantined": True, "reserved_bytes": 1, "leased_bytes": 2, "requests": 3}],
                 "limits": {"reserved_bytes": 4, "leased_bytes": 5}},
    "Namespaces": {"namespaces": [{"root": key(1), "fields": NAMESPACE, "blocks": 1, "bytes": 2, "asked": 3,
                                   "delivered": 4, "misses": [5, 6]}]},
    "StoredBlocks": {"blocks": [{"key": key(1), "root": key(2), "bytes": 65536, "where": 3}]},
    "Story": {"places": [{"tier": 1, "name": "disk", "bytes": 65536, "parent": key(1), "readable": True}],
              "on_way_to": ["fs"], "reason": 2, "not_written": 5, "root": key(2)},
    "Changes": {"changes": [{"key": key(1), "root": key(2), "lost": 0, "tier": 1, "kind": 1,
                             "condition": 0}]},
}

# What stands beside the body.
MESSAGES: dict[str, dict[str, Any]] = {
    name: {"id": 100 + number, "body_type": name, "body": body}
    for number, (name, body) in enumerate(BODIES.items())
}
MESSAGES["Memories"] = {"id": 0, "memories": [{"id": 9, "bytes": 67108864, "writable": True}],
                        "replaced": [8]}
