#include "lab/rows/bitrot.h"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "base/bytes.h"
#include "lab/kit/specimen.h"
#include "record/record.h"
#include "tier/disk/layout.h"

namespace terrace::lab {
namespace {

namespace disk = tier::disk;

constexpr uint64_t kFullRounds = 30'000;
constexpr uint64_t kRoundsPerSpecimen = 50;
constexpr uint64_t kPageBits = base::kPage * 8;

enum class Rot : uint8_t {
  kRecordHeader,   // one bit of every record's header; over all rounds, every bit
  kPayload,        // one bit of every payload, at random
  kSlotEntry,      // one bit of every slot entry
  kSegmentHeader,  // one bit of one segment's header
  kSuperblock,     // one bit of one copy
  kBothCopies,     // one bit of each copy: rebuilt from the segments
  kPages,          // pages zeroed, filled with 0xFF, swapped
  kAnything,       // up to 20 bits of any files
};
// How often each comes; headers and superblocks have the most bits to go through.
constexpr Rot kTurns[] = {Rot::kRecordHeader, Rot::kSuperblock,    Rot::kSlotEntry, Rot::kSegmentHeader,
                          Rot::kRecordHeader, Rot::kSuperblock,    Rot::kPayload,   Rot::kBothCopies,
                          Rot::kRecordHeader, Rot::kSuperblock,    Rot::kSlotEntry, Rot::kPages,
                          Rot::kRecordHeader, Rot::kSegmentHeader, Rot::kPages,     Rot::kAnything};

class Rounds {
 public:
  Rounds(uint64_t first, uint64_t count) : first_(first), count_(count), specimen_(specimen_options(first)) {}

  Findings run() {
    findings_.count("rounds", 0);
    findings_.count("checked", 0);
    for (uint64_t round = first_; round < first_ + count_; round++) {
      base::Random random(round ^ 0xB17B07);
      may_miss_.clear();
      must_miss_.clear();
      specimen_.restore();
      damage(round, random);
      findings_.count("rounds");
      const auto context = fmt::format("round {}: ", round);
      specimen_.examine(may_miss_, must_miss_, findings_, context);
    }
    for (auto& failure : findings_.failures) {
      failure +=
          fmt::format("; replay: terrace-lab run --row 5 --seed {} --count {} --processes 1", first_, count_);
    }
    return std::move(findings_);
  }

 private:
  static SpecimenOptions specimen_options(uint64_t first) {
    constexpr std::array kMixes{SizeMix::kFew, SizeMix::kTiny, SizeMix::kOne, SizeMix::kEdges};
    const SizeMix mix = kMixes[first / kRoundsPerSpecimen % kMixes.size()];
    return {.seed = first, .catalog_seed = first, .mix = mix, .bytes_max = 6000};
  }

  // The `turn`-th time that this kind of damage comes, over all rounds: walks through the bits.
  void damage(uint64_t round, base::Random& random) {
    switch (kTurns[round % std::size(kTurns)]) {
      case Rot::kRecordHeader:
        return rot_record_headers(round, random);
      case Rot::kPayload:
        return rot_payloads(random);
      case Rot::kSlotEntry:
        return rot_slot_entries(round);
      case Rot::kSegmentHeader:
        return rot_segment_header(random);
      case Rot::kSuperblock:
        return rot_superblock(random.below(2), random);
      case Rot::kBothCopies:
        rot_superblock(0, random);
        return rot_superblock(1, random);
      case Rot::kPages:
        return rot_pages(random);
      case Rot::kAnything:
        return rot_anything(random);
    }
  }

  void rot_record_headers(uint64_t round, base::Random& random) {
    uint64_t turn = round / 4 * specimen_.locations().size() + random.below(kPageBits);
    for (const auto& [block, where] : specimen_.locations()) {
      specimen_.flip(where.data, where.record_offset * 8 + turn++ % kPageBits);
      must_miss_.insert(block);
    }
    findings_.count("header_bits", specimen_.locations().size());
  }

  void rot_payloads(base::Random& random) {
    for (const auto& [block, where] : specimen_.locations()) {
      const uint64_t bits = specimen_.catalog()[block].bytes * 8;
      specimen_.flip(where.data, (where.record_offset + record::kHeaderBytes) * 8 + random.below(bits));
      must_miss_.insert(block);
    }
    findings_.count("payload_bits", specimen_.locations().size());
  }

  void rot_slot_entries(uint64_t round) {
    uint64_t turn = round / 8 * specimen_.locations().size();
    for (const auto& [block, where] : specimen_.locations()) {
      specimen_.flip(where.table, where.entry_offset * 8 + turn++ % (sizeof(disk::SlotEntry) * 8));
      must_miss_.insert(block);
    }
    findings_.count("slot_entry_bits", specimen_.locations().size());
  }

  void rot_segment_header(base::Random& random) {
    const auto any = std::next(specimen_.locations().begin(),
                               static_cast<int64_t>(random.below(specimen_.locations().size())));
    specimen_.flip(any->second.table, random.below(kPageBits));
    for (const auto& [block, where] : specimen_.locations()) {
      if (where.segment == any->second.segment) may_miss_.insert(block);
    }
    findings_.count("segment_header_bits");
  }

  void rot_superblock(uint64_t copy, base::Random& random) {
    specimen_.flip(Specimen::superblock(), copy * kPageBits + random.below(kPageBits));
    findings_.count("superblock_bits");
  }

  // Blocks with a byte in the pages.
  void touch(const std::string& path, uint64_t page) {
    const uint64_t begin = page * base::kPage, end = begin + base::kPage;
    for (const auto& [block, where] : specimen_.locations()) {
      const bool record =
          where.data == path && where.record_offset < end && begin < where.record_offset + where.slot_bytes;
      const bool entry =
          where.table == path &&
          (page == 0 || (where.entry_offset < end && begin < where.entry_offset + sizeof(disk::SlotEntry)));
      if (record || entry) may_miss_.insert(block);
    }
  }

  void rot_pages(base::Random& random) {
    auto& sim_disk = specimen_.machine().disk();
    const uint64_t pages = 1 + random.below(6);
    for (uint64_t i = 0; i < pages; i++) {
      const auto& [path, bytes] = any_file(random);
      const uint64_t count = bytes.size() / base::kPage;
      if (count == 0) continue;
      const uint64_t page = random.below(count), other = random.below(count);
      const uint64_t kind = random.below(3);
      if (kind == 2) {
        (void)sim_disk.swap_pages(path, page, other);
        touch(path, other);
      } else {
        (void)sim_disk.fill(path, page * base::kPage, base::kPage,
                            kind == 0 ? std::byte{0} : std::byte{0xFF});
      }
      touch(path, page);
      findings_.count("pages");
    }
  }

  void rot_anything(base::Random& random) {
    const uint64_t bits = 1 + random.below(20);
    for (uint64_t i = 0; i < bits; i++) {
      const auto& [path, bytes] = any_file(random);
      if (bytes.empty()) continue;
      const uint64_t bit = random.below(bytes.size() * 8);
      specimen_.flip(path, bit);
      touch(path, bit / kPageBits);
      findings_.count("other_bits");
    }
  }

  const Image::value_type& any_file(base::Random& random) const {
    const Image& image = specimen_.image();
    return *std::next(image.begin(), static_cast<int64_t>(random.below(image.size())));
  }

  const uint64_t first_, count_;
  Specimen specimen_;
  std::set<uint32_t> may_miss_, must_miss_;
  Findings findings_;
};

}  // namespace

Findings bitrot_rounds(uint64_t first, uint64_t count) {
  return Rounds(first, count).run();
}

Findings run_bitrot(const RowOptions& options) {
  return run_in_slices(options, 5, kFullRounds, kRoundsPerSpecimen, bitrot_rounds);
}

}  // namespace terrace::lab
