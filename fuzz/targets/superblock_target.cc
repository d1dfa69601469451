// The file `superblock`: two copies of a page. The newest whole one counts, and writing goes on from it.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/checksum.h"
#include "fuzz/kit/fields.h"
#include "fuzz/kit/target.h"
#include "io/sim/sim_disk.h"
#include "io/sim/sim_file_system.h"
#include "tier/disk/options.h"
#include "tier/disk/superblock_file.h"

namespace terrace::fuzz {
namespace {

namespace disk = tier::disk;
using disk::kPage, disk::Superblock;

constexpr Field kFields[] = {
    {offsetof(Superblock, magic), 8},         {offsetof(Superblock, version), 4},
    {offsetof(Superblock, flags), 4},         {offsetof(Superblock, sequence), 8},
    {offsetof(Superblock, epoch), 4},         {offsetof(Superblock, capacity_bytes), 8},
    {offsetof(Superblock, segment_bytes), 8}, {offsetof(Superblock, synced_seq), 8},
    {offsetof(Superblock, zeros), 8},
};

// What a page says when it is whole; sealing it again gives the same page.
Result<Superblock> check_page(std::span<const std::byte> page, uint32_t& version) {
  const auto opened = disk::open_superblock(page, version);
  if (!opened) return opened;
  TERRACE_ASSERT(opened->segment_bytes >= disk::kSegmentBytesMin &&
                 opened->segment_bytes <= disk::kSegmentBytesMax);
  Superblock copy = *opened;
  Bytes again(kPage);
  disk::seal(copy, again);
  TERRACE_ASSERT(std::ranges::equal(again, page));
  return opened;
}

void run(std::span<const std::byte> input) {
  std::optional<Superblock> newest;
  bool incompatible = false;
  for (uint64_t at = 0; at < 2 * kPage && at < input.size(); at += kPage) {
    const auto page = input.subspan(at, std::min<uint64_t>(kPage, input.size() - at));
    uint32_t version = 0;
    const auto opened = check_page(page, version);
    incompatible = incompatible || (!opened && opened.error().code == Code::kIncompatible);
    if (opened && (!newest || opened->sequence > newest->sequence)) newest = *opened;
  }

  io::SimDisk sim_disk;
  io::SimFileSystem files(sim_disk);
  TERRACE_ASSERT(files.make_directory("/s").has_value());
  TERRACE_ASSERT(sim_disk.replace("/s/superblock", input).has_value());
  disk::SuperblockRead read;
  auto file = disk::SuperblockFile::open(files, "/s", read);
  TERRACE_ASSERT(file.has_value() != incompatible);
  if (!file) return;
  TERRACE_ASSERT(read.found.has_value() == newest.has_value());
  TERRACE_ASSERT(!newest || read.found->sequence == newest->sequence);

  // The next life's is found in its place, unless the number of copies came to its end.
  Superblock next = newest.value_or(Superblock{.segment_bytes = disk::kSegmentBytesMin});
  ++next.epoch;
  if (next.sequence > UINT64_MAX - 2) return;
  TERRACE_ASSERT(file->write_both(files, next).has_value());
  disk::SuperblockRead reread;
  TERRACE_ASSERT(disk::SuperblockFile::open(files, "/s", reread).has_value());
  TERRACE_ASSERT(reread.found && reread.found->epoch == next.epoch);
}

void seal_again(std::span<std::byte> page) {
  const uint64_t sum = base::xxh3_64(page.first(offsetof(Superblock, sum)));
  std::memcpy(page.data() + offsetof(Superblock, sum), &sum, sizeof sum);
}

void mend(std::span<std::byte> input, base::Random& random) {
  for (uint64_t at = 0; at + kPage <= input.size() && at < 2 * kPage; at += kPage) {
    if (random.one_in(2)) change_a_field(input.subspan(at, kPage), kFields, random);
    if (!random.one_in(4)) seal_again(input.subspan(at, kPage));
  }
}

Superblock superblock_of(uint64_t sequence) {
  return {.flags = disk::kCleanFlag,
          .sequence = sequence,
          .store_id = {1, 2, 3},
          .secret = {4, 5, 6},
          .epoch = 3,
          .capacity_bytes = 64 * base::kMiB,
          .segment_bytes = 4 * base::kMiB,
          .synced_seq = 77,
          .boot_id = {8, 9}};
}

Seed seed_of(std::string name, std::initializer_list<Superblock> copies, size_t bytes) {
  Seed seed{std::move(name), {}};
  for (Superblock copy : copies) {
    Bytes page(kPage);
    disk::seal(copy, page);
    seed.bytes.insert(seed.bytes.end(), page.begin(), page.end());
  }
  seed.bytes.resize(bytes);
  return seed;
}

std::vector<Seed> seeds() {
  Superblock other_version = superblock_of(3), no_segments = superblock_of(5), last = superblock_of(7);
  other_version.version = 2;
  no_segments.segment_bytes = 0;
  last.epoch = disk::kEpochMax;
  return {seed_of("two_copies", {superblock_of(6), superblock_of(7)}, 2 * kPage),
          seed_of("first_newer", {superblock_of(9), superblock_of(8)}, 2 * kPage),
          seed_of("one_copy", {superblock_of(1)}, kPage),
          seed_of("second_torn", {superblock_of(4), superblock_of(5)}, kPage + 2048),
          seed_of("other_version", {other_version}, kPage),
          seed_of("segments_of_no_bytes", {no_segments}, kPage),
          seed_of("last_epoch", {last}, kPage)};
}

const Registered kRegistered({.name = "superblock", .run = run, .mend = mend, .seeds = seeds});

}  // namespace
}  // namespace terrace::fuzz
