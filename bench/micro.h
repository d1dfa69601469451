// Comparisons whose sides share a process and take turns in it.
#pragma once

#include <cstdint>
#include <string>

namespace terrace::bench {

struct MicroOptions {
  uint32_t runs = 5;
  bool quick = false;
};

// put and get_into of a store without tiers against memcpy of the same blocks.
void bench_l1(const MicroOptions& options, uint64_t block);
// lookup of 256 keys at a time in a store of 1 M blocks against the find loop of a bare flat map.
void bench_lookup(const MicroOptions& options);

// Where the disk tier of a comparison lives, and on which engine.
struct DirectoryOptions {
  std::string path;
  std::string io = "auto";
};
// commit, get_async and prefetch of `keys` small blocks against lock, push, eventfd write.
void bench_submit(const MicroOptions& options, const DirectoryOptions& directory, uint32_t keys);
// Opening a directory of `blocks` blocks of 64 KiB: until all are indexed, and until the first one was
// delivered.
void bench_restart(const MicroOptions& options, const DirectoryOptions& directory, uint64_t blocks);

// A server and its clients, in processes of their own; server_bench.cc says what each compares.
void bench_server_lookup(const MicroOptions& options, const DirectoryOptions& directory, uint64_t blocks);
void bench_server_copy(const MicroOptions& options, const DirectoryOptions& directory, uint64_t block);
void bench_server_clients(const MicroOptions& options, const DirectoryOptions& directory, uint64_t block);
void bench_server_load(const MicroOptions& options, const DirectoryOptions& directory);
void bench_server_idle(const MicroOptions& options, const DirectoryOptions& directory);

}  // namespace terrace::bench
