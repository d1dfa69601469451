#!/usr/bin/env python3
"""Writes golden_record.hex: the header of one record, packed by struct and summed by libxxhash (ctypes).

This is a second implementation, on purpose: it shares no code with src/record. A change of the output is a
change of the record format.
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

PAGE, MIB, PARTS_MAX = 4096, 1 << 20, 64
PAYLOAD_BYTES = 2 * MIB + 12345


def digest(first: int) -> bytes:
    return bytes((first + 3 * i) % 256 for i in range(32))


def main() -> None:
    payload = bytes((i * 131 + (i >> 8) * 17 + (i >> 16) * 29 + 7) & 0xFF for i in range(PAYLOAD_BYTES))
    key, family, parent, root = digest(0x10), digest(0x20), digest(0x30), digest(0x40)
    secret, binding = digest(0x50), digest(0x60)

    even = -(-PAYLOAD_BYTES // PARTS_MAX)
    part = max(MIB, -(-even // PAGE) * PAGE)
    sums = b""
    seed = struct.unpack("<Q", key[:8])[0]
    count = 0
    for start in range(0, PAYLOAD_BYTES, part):
        piece = payload[start : start + part]
        value = xxhash.XXH3_128bits_withSeed(piece, len(piece), seed)
        sums += struct.pack("<QQ", value.low, value.high)
        count += 1

    header = b"TERRACE1" + struct.pack("<II", 1, 4096) + key + family + parent + root
    header += struct.pack("<IIIIQQ", 1, 2, 4, count, PAYLOAD_BYTES, part) + binding
    header += sums.ljust(16 * PARTS_MAX, b"\0")
    header = header.ljust(4088, b"\0")
    seed = xxhash.XXH3_64bits_withSeed(secret + binding, 64, 0)
    header += struct.pack("<Q", xxhash.XXH3_64bits_withSeed(header, len(header), seed))

    lines = [header[i : i + 32].hex() for i in range(0, len(header), 32)]
    path = pathlib.Path(__file__).with_name("golden_record.hex")
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
