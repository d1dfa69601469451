"""The rival of the disk rows among other projects: a tier in plain Python that keeps one file per block.

It writes a temporary file and renames it, reads into buffers it owns, and runs a small pool of threads, as
the file tiers of today's engines do. Two modes: `buffered` through the page cache, where a write counts until
it is on the device and a read starts with the file out of the cache; and `direct`, with O_DIRECT from and to
aligned memory. Nothing is verified. The buffers are one pool on huge pages, like those of the other sides.
"""

from __future__ import annotations

import mmap
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sides import Sample

THREADS = 4


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def huge_pool(size: int) -> mmap.mmap:
    pool = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pool.madvise(mmap.MADV_HUGEPAGE)
    stripe = os.urandom(1 << 20)
    for at in range(0, size, len(stripe)):
        pool[at:at + len(stripe)] = stripe
    return pool


class FilePerBlock:
    def __init__(self, directory: Path, block: int, pool_bytes: int, direct: bool) -> None:
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._block = block
        self._flags = os.O_DIRECT if direct else 0
        self._direct = direct
        self._memory = memoryview(huge_pool(pool_bytes))
        self._buffers = pool_bytes // block
        self._executor = ThreadPoolExecutor(THREADS)

    def close(self) -> None:
        self._executor.shutdown()

    def write(self, size: int) -> Sample:
        """Files 0, 1, ... of `size` bytes together; buffered files count when they are on the device."""
        return self._timed(size, self._write_file, finish=None if self._direct else self._sync)

    def read(self, size: int) -> Sample:
        """The files of the last write, which are not in the page cache."""
        self._drop_caches(size)
        return self._timed(size, self._read_file, finish=None)

    def _timed(self, size: int, work: Callable[[int], int], finish: Callable[[int], None] | None) -> Sample:
        count = size // self._block
        cpu, start = _cpu_seconds(), time.perf_counter()
        moved = sum(self._executor.map(work, range(count)))
        if finish:
            finish(count)
        seconds, cpu_seconds = time.perf_counter() - start, _cpu_seconds() - cpu
        if moved != count * self._block:
            raise OSError(f"{moved} bytes moved, {count * self._block} asked for")
        return Sample(seconds, cpu_seconds, moved)

    def _path(self, index: int) -> Path:
        return self._directory / f"{index:06d}.kv"

    def _buffer(self, index: int) -> memoryview:
        at = index % self._buffers * self._block
        return self._memory[at:at + self._block]

    def _write_file(self, index: int) -> int:
        path = self._path(index)
        partial = path.with_suffix(".part")
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | self._flags, 0o600)
        try:
            written = os.write(fd, self._buffer(index))
        finally:
            os.close(fd)
        os.replace(partial, path)
        return written

    def _read_file(self, index: int) -> int:
        fd = os.open(self._path(index), os.O_RDONLY | self._flags)
        try:
            return os.readv(fd, [self._buffer(index)])
        finally:
            os.close(fd)

    def _each_file(self, count: int, work: Callable[[int], None]) -> None:
        for index in range(count):
            fd = os.open(self._path(index), os.O_RDONLY)
            try:
                work(fd)
            finally:
                os.close(fd)

    def _sync(self, count: int) -> None:
        self._each_file(count, os.fsync)

    def _drop_caches(self, size: int) -> None:
        def drop(fd: int) -> None:
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

        self._each_file(size // self._block, drop)
