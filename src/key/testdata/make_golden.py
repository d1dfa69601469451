#!/usr/bin/env python3
"""Writes golden_keys.json: the key forms of semantics K2, computed with hashlib alone.

This is a second implementation, on purpose: it shares nothing with src/key. A change of the output is a
change of the key format.
"""

import hashlib
import json
import pathlib
import struct

ABSENT = b"\xff\xff\xff\xff"
FIELDS = (
    "model_id",
    "model_fingerprint",
    "kv_dtype",
    "layout_id",
    "block_tokens",
    "producer",
    "producer_version",
    "adapter",
    "tenant_salt",
    "groups",
)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def prefixed(data: bytes) -> bytes:
    return u32(len(data)) + data


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root_of(fields: dict) -> bytes:
    message = b"terrace/ns/1"
    for name in FIELDS:
        value = fields.get(name)
        if value is None:
            message += ABSENT
        elif isinstance(value, int):
            message += prefixed(u32(value))
        else:
            message += prefixed(value.encode("utf-8"))
    return sha(message)


def family_of(parent: bytes, tokens: list, extra: list) -> bytes:
    message = b"\x01" + parent + u32(len(tokens)) + b"".join(u32(t) for t in tokens)
    message += u32(len(extra)) + b"".join(prefixed(e) for e in extra)
    return sha(message)


def member_of(family: bytes, group: int, shard: int, shards: int) -> bytes:
    return sha(b"\x03" + family + u32(group) + u32(shard) + u32(shards))


def namespaces() -> list:
    full = {
        "model_id": "meta-llama/Llama-3.1-8B",
        "model_fingerprint": "sha256:0e9e39f249a16976918f6564b8830bc894c89659",
        "kv_dtype": "f16",
        "layout_id": "llama.cpp/kv/1",
        "block_tokens": 256,
        "producer": "llama.cpp",
        "producer_version": 7,
        "adapter": "lora-ümläut",
        "tenant_salt": "tenant-α",
        "groups": 2,
    }
    cases = [
        {"name": "nothing given", "fields": {}},
        {"name": "everything given", "fields": full},
        {"name": "empty text is not absent", "fields": {**full, "adapter": ""}},
        {"name": "absent adapter", "fields": {k: v for k, v in full.items() if k != "adapter"}},
        {"name": "groups 1 is not absent", "fields": {"groups": 1}},
        {"name": "fields do not run together", "fields": {"model_id": "ab", "model_fingerprint": "c"}},
        {"name": "fields do not run together, moved", "fields": {"model_id": "a", "model_fingerprint": "bc"}},
    ]
    return [{**case, "root": root_of(case["fields"]).hex()} for case in cases]


def chains() -> list:
    root = root_of({"model_id": "golden"})
    cases = [
        ("whole blocks and a partial one",
         [(list(range(16)), []), (list(range(16, 32)), []), ([7, 8, 9], [])]),
        ("large token ids", [([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF], [])]),
        ("no tokens", [([], [])]),
        ("extra keys", [([1, 2, 3, 4], [b"image:\x00\xff", b""]), ([5, 6, 7, 8], [b"x" * 300])]),
    ]
    result = []
    for name, blocks in cases:
        last, out = root, []
        for tokens, extra in blocks:
            last = family_of(last, tokens, extra)
            out.append({"tokens": tokens, "extra": [e.hex() for e in extra], "family": last.hex()})
        result.append({"name": name, "root": root.hex(), "blocks": out})
    return result


def digests() -> list:
    root = root_of({"model_id": "golden"})
    result = []
    for size in (16, 32, 64):
        digest = bytes((7 * i + size) % 256 for i in range(size))
        family = sha(b"\x02" + root + prefixed(digest))
        result.append({"root": root.hex(), "digest": digest.hex(), "family": family.hex()})
    return result


def members() -> list:
    family = family_of(root_of({"model_id": "golden"}), [1, 2, 3], [])
    cases = [(0, 0, 1), (0, 0, 2), (0, 1, 2), (1, 0, 1), (3, 7, 8), (0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)]
    return [
        {"family": family.hex(), "group": g, "shard": s, "shards": n, "key": member_of(family, g, s, n).hex()}
        for g, s, n in cases
    ]


def block_keys() -> list:
    root = root_of({"model_id": "golden", "block_tokens": 4})
    tokens = [11 * i + 3 for i in range(14)]
    last, keys = root, []
    for start in range(0, 12, 4):
        last = family_of(last, tokens[start : start + 4], [])
        keys.append(member_of(last, 0, 0, 1).hex())
    return [{"root": root.hex(), "tokens": tokens, "block_tokens": 4, "keys": keys}]


def main() -> None:
    golden = {
        "namespaces": namespaces(),
        "chains": chains(),
        "digests": digests(),
        "members": members(),
        "block_keys": block_keys(),
    }
    path = pathlib.Path(__file__).with_name("golden_keys.json")
    path.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
