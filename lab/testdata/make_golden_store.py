#!/usr/bin/env python3
"""Writes golden_store_1.txt: a disk store of format version 1, packed by struct, summed by libxxhash.

This is a second implementation, on purpose: it follows docs/format.md and shares no code with src/. It is
kept for ever: every later program must serve its blocks, or refuse it by name.

Lines: `file NAME BYTES`, `bytes NAME OFFSET HEX` (what no line names is zero), `block KEY BYTES NUMBER`.
"""

import ctypes
import ctypes.util
import pathlib
import struct


class Sum128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash"))
xxhash.XXH3_64bits_withSeed.restype = ctypes.c_uint64
xxhash.XXH3_64bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]
xxhash.XXH3_128bits_withSeed.restype = Sum128
xxhash.XXH3_128bits_withSeed.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

PAGE = 4096
SEGMENT_BYTES = 64 * 1024
EPOCH = 3
ABSENT = 0xFFFFFFFF


def digest(first: int) -> bytes:
    return bytes((first + 3 * i) % 256 for i in range(32))


STORE_ID, SECRET, ROOT, BOOT_ID = digest(0x01)[:16], digest(0x50), digest(0x40), digest(0x77)[:16]


def sum64(data: bytes, seed: int = 0) -> int:
    return xxhash.XXH3_64bits_withSeed(data, len(data), seed)


def sealed(page: bytes, seed: int = 0) -> bytes:
    page = page.ljust(PAGE - 8, b"\0")
    return page + struct.pack("<Q", sum64(page, seed))


def generation(counter: int) -> int:
    return EPOCH << 40 | counter


def payload(number: int, size: int) -> bytes:
    return bytes((i * 131 + (i >> 8) * 17 + number * 29 + 7) & 0xFF for i in range(size))


def superblock(sequence: int) -> bytes:
    page = b"TERRSUPR" + struct.pack("<IIQ", 1, 0, sequence) + STORE_ID + SECRET
    page += struct.pack("<IIQQQ", EPOCH, 0, 9 << 20, SEGMENT_BYTES, generation(2)) + BOOT_ID
    return sealed(page)


def namespaces() -> bytes:
    fields = b""
    for value in (b"golden/model", None, b"f16", None, struct.pack("<I", 16), None, None, None, None, None):
        fields += struct.pack("<I", ABSENT) if value is None else struct.pack("<I", len(value)) + value
    size = -(-(48 + len(fields)) // 8) * 8
    body = (ROOT + fields).ljust(size - 16, b"\0")
    return b"TRNS" + struct.pack("<IQ", size, sum64(body, sum64(SECRET))) + body


def record(number: int, size: int, parent: bytes, segment: int, offset: int) -> bytes:
    key, data = digest(number), payload(number, size)
    parts = xxhash.XXH3_128bits_withSeed(data, size, struct.unpack("<Q", key[:8])[0])
    binding = STORE_ID + struct.pack("<IQI", segment, generation(100 + number), offset // PAGE)
    page = b"TERRACE1" + struct.pack("<II", 1, PAGE) + key + key + parent + ROOT
    page += struct.pack("<IIIIQQ", 0, 0, 1, 1, size, 1 << 20) + binding
    page += struct.pack("<QQ", parts.low, parts.high)
    return sealed(page, sum64(SECRET + binding)) + data


def segment_files(segment: int, slot_bytes: int, blocks: list) -> tuple:
    slots = (SEGMENT_BYTES - 3 * PAGE) // (slot_bytes + 256 + 9)
    header = b"TERRSEGM" + struct.pack("<II", 1, 0) + STORE_ID + SECRET
    header += struct.pack("<IIQQQ", segment, slots, slot_bytes, SEGMENT_BYTES, generation(10 + segment))
    entries, data, ranks = bytearray(slots * 256), bytearray(slots * slot_bytes), [0] * 511
    for index, number, size, parent, seq in blocks:
        seed = sum64(SECRET + struct.pack("<QII", generation(10 + segment), segment, index))
        entry = digest(number) + digest(number) + parent + ROOT
        entry += struct.pack("<QQQQ", size, generation(100 + number), generation(seq), number)
        entry = (entry + struct.pack("<IIII", 0, 0, 1, 1)).ljust(248, b"\0")
        entries[256 * index : 256 * index + 256] = entry + struct.pack("<Q", sum64(entry, seed))
        whole = record(number, size, parent, segment, index * slot_bytes)
        data[index * slot_bytes : index * slot_bytes + len(whole)] = whole
        ranks[index] = 1000 + number
    seed = sum64(SECRET + struct.pack("<QII", generation(10 + segment), segment, 0))
    table = sealed(header) + bytes(entries)
    table = table.ljust(-(-len(table) // PAGE) * PAGE, b"\0") + sealed(struct.pack("<511Q", *ranks), seed)
    return table, bytes(data)


def main() -> None:
    # One chain of four over two classes of slots; the last two were written after the last sync.
    chain = [(0x10, 1), (0x20, 100), (0x30, 2000), (0x38, 4097)]
    parents = [bytes(32)] + [digest(number) for number, _ in chain[:-1]]
    small = [(2 * i, *chain[i], parents[i], i + 1) for i in range(3)]
    files = {"superblock": superblock(7) + superblock(8) + bytes(PAGE), "namespaces": namespaces()}
    files["000000.slots"], files["000000.data"] = segment_files(0, 8192, small)
    files["000002.slots"], files["000002.data"] = segment_files(2, 12288, [(1, *chain[3], parents[3], 4)])

    lines = [f"block {digest(number).hex()} {size} {number}" for number, size in chain]
    for name, content in files.items():
        lines.append(f"file {name} {len(content)}")
        for at in range(0, len(content), 48):
            piece = content[at : at + 48]
            if any(piece):
                lines.append(f"bytes {name} {at} {piece.hex()}")
    path = pathlib.Path(__file__).with_name("golden_store_1.txt")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
