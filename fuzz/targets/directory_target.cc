// A store's directory: the input is a patch of the files of a small closed store. Whatever they say then, the
// start ends, recovery ends, and what is delivered is right.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/assert.h"
#include "base/checksum.h"
#include "fuzz/kit/input.h"
#include "fuzz/kit/target.h"
#include "lab/kit/specimen.h"
#include "record/layout.h"
#include "tier/disk/layout.h"
#include "tier/disk/options.h"

namespace terrace::fuzz {
namespace {

namespace disk = tier::disk;
using disk::kPage, disk::SegmentHeader, disk::SlotEntry;

constexpr Timeout kTimeout = std::chrono::seconds(10);
constexpr size_t kPatchesMax = 16;
constexpr uint64_t kLengthMax = 512 * base::kKiB;

lab::Specimen& specimen() {
  static lab::Specimen one({.catalog_seed = 3, .bytes_max = 3000, .chains = 3, .chain_blocks_max = 3});
  return one;
}

// --- sums as they should be, of files of which the fuzzer knows every secret

void put_sum(std::span<std::byte> bytes, size_t offset, uint64_t seed) {
  const uint64_t sum = base::xxh3_64(bytes.first(offset), seed);
  std::memcpy(bytes.data() + offset, &sum, sizeof sum);
}

void seal_superblock(std::span<std::byte> file) {
  for (uint64_t at = 0; at + kPage <= file.size() && at < 2 * kPage; at += kPage) {
    put_sum(file.subspan(at, kPage), offsetof(disk::Superblock, sum), 0);
  }
}

void seal_table(std::span<std::byte> file, uint32_t number) {
  if (file.size() < kPage) return;
  put_sum(file.first(kPage), offsetof(SegmentHeader, sum), 0);
  SegmentHeader header;
  std::memcpy(&header, file.data(), sizeof header);
  const auto seed = [&](uint32_t index) {
    return disk::entry_seed(header.secret, header.generation, number, index);
  };
  for (uint32_t index = 0; index < header.slot_count && disk::entry_offset(index + 1) <= file.size();
       ++index) {
    const auto entry = file.subspan(disk::entry_offset(index), sizeof(SlotEntry));
    if (entry[offsetof(SlotEntry, state)] != std::byte{0}) {
      put_sum(entry, offsetof(SlotEntry, sum), seed(index));
    }
  }
  const uint64_t ranks = disk::ranks_offset(header.slot_count);
  if (ranks + kPage <= file.size()) {
    put_sum(file.subspan(ranks, kPage), offsetof(disk::RankPage, sum), seed(0));
  }
}

// A header only: payloads under another sum stay damaged.
void seal_records(std::span<std::byte> file) {
  static const record::Secret secret = [] {
    uint32_t version = 0;
    const auto& bytes = specimen().image().at(lab::Specimen::superblock());
    return disk::open_superblock(std::span(bytes).first(kPage), version)->secret;
  }();
  for (uint64_t at = 0; at + kPage <= file.size(); at += kPage) {
    record::HeaderLayout header;
    std::memcpy(&header, file.data() + at, sizeof header);
    if (header.magic != record::kMagic) continue;
    std::array<uint8_t, 64> message;
    std::ranges::copy(secret, message.begin());
    std::ranges::copy(header.binding, message.begin() + 32);
    const uint64_t seed = base::xxh3_64(std::as_bytes(std::span(message)));
    put_sum(file.subspan(at, kPage), offsetof(record::HeaderLayout, header_sum), seed);
  }
}

void seal_file(const std::string& name, std::span<std::byte> file) {
  const auto segment = disk::parse_segment_name(name);
  if (segment && segment->is_table) return seal_table(file, segment->segment);
  if (segment) return seal_records(file);
  if (name == disk::kSuperblockName) seal_superblock(file);
}

// --- patches

std::string file_name(Input& input) {
  const uint32_t choice = input.below(8);
  switch (choice) {
    case 0:
      return std::string(disk::kSuperblockName);
    case 1:
      return std::string(disk::kNamespacesName);
    case 2:
      return disk::table_name(0);
    case 3:
      return disk::data_name(0);
    case 4:
      return disk::table_name(input.byte());
    case 5:
      return disk::data_name(input.byte());
    case 6:
      return std::string(disk::kLockName);
    default:
      return disk::table_name(static_cast<uint32_t>(input.number(4)));
  }
}

// name | kind | offset u32 | what
void patch(Input& input, lab::Image& image) {
  const std::string name = file_name(input);
  const uint32_t kind = input.below(8);
  if (kind == 7) {
    image.erase(lab::Specimen::directory() + "/" + name);
    return;
  }
  auto& bytes = image[lab::Specimen::directory() + "/" + name];
  const uint64_t offset = input.number(4) % kLengthMax;
  if (kind == 6) {
    bytes.resize(offset);
  } else if (offset < bytes.size()) {
    const auto what = input.take(kind == 0 ? input.byte() : kind);
    const size_t fits = std::min<size_t>(what.size(), bytes.size() - offset);
    std::copy_n(what.begin(), fits, bytes.begin() + static_cast<ptrdiff_t>(offset));
  }
  if (!input.one_in(8)) seal_file(name, bytes);
}

lab::Image patched(Input& input) {
  lab::Image image = specimen().image();
  for (size_t i = 0; i < kPatchesMax && !input.empty(); ++i) patch(input, image);
  return image;
}

// --- what a store makes of it

void check_deliveries(Store& store, uint32_t first_writer_after) {
  const lab::Catalog& catalog = specimen().catalog();
  for (uint32_t block = 0; block < catalog.size(); ++block) {
    const auto got = store.get(std::span(&catalog[block].key, 1), {.timeout = kTimeout});
    TERRACE_ASSERT(got.has_value() && got->size() + got->reasons().size() == 1);
    if (got->size() == 0) continue;
    const auto bytes = (*got)[0].bytes;
    const lab::Verdict verdict = lab::verify(catalog[block].key, bytes, first_writer_after);
    TERRACE_ASSERT(verdict.right && bytes.size() == catalog[block].bytes);
  }
}

void store_one(Store& store) {
  const lab::Catalog& catalog = specimen().catalog();
  const auto& block = catalog[catalog.chain(0)[0]];
  const BlockSpec spec{.key = block.key, .bytes = block.bytes};
  auto answers = store.reserve({.root = catalog.root(block.space), .blocks = std::span(&spec, 1)});
  TERRACE_ASSERT(answers.has_value() && answers->size() == 1);
  Reservation reservation = std::move((*answers)[0].reservation);
  if (!reservation) return;
  lab::fill(block.key, 2, reservation.bytes());
  TERRACE_ASSERT(store.commit(std::span(&reservation, 1)).has_value());
}

// A machine of its own for each input: the same bytes do the same, whatever ran before.
void run(std::span<const std::byte> bytes) {
  Input input(bytes);
  lab::MachineOptions options = specimen().machine().options();
  options.store.l1.mode = L1Mode::kCache;
  const bool after_power_cut = input.one_in(4);
  if (input.one_in(8)) options.disk.capacity_bytes /= 4;
  lab::Machine machine(options);
  io::SimDisk& sim_disk = machine.disk();
  TERRACE_ASSERT(sim_disk.make_directory(lab::Specimen::directory(), sim_disk.lives()).has_value());
  for (const auto& [path, content] : patched(input)) {
    TERRACE_ASSERT(sim_disk.replace(path, content).has_value());
  }
  base::Random random(1);
  if (after_power_cut) machine.cut_power(random);  // another boot
  const auto started = machine.start();
  if (!started) {
    // Architecture 9's refusals: another version, a foreign directory, the last epoch, too small.
    const Code code = started.error().error.code;
    TERRACE_ASSERT(code == Code::kIncompatible || code == Code::kForeign || code == Code::kLimitExceeded ||
                   code == Code::kInvalidArgument);
    return;
  }
  TERRACE_ASSERT(machine.store().wait_recovered(kTimeout));
  check_deliveries(machine.store(), 1);
  store_one(machine.store());
  (void)machine.store().sync(kTimeout);
  check_deliveries(machine.store(), 2);
  TERRACE_ASSERT(machine.stop(kTimeout) == 0);
}

// --- seeds, in the words of patch()

constexpr uint8_t kSealed = 0, kUnsealed = 7, kResize = 6, kErase = 7;
constexpr uint8_t kSuperblock = 0, kTable = 2, kData = 3;

class Patch {
 public:
  explicit Patch(uint8_t power_cut = 0, uint8_t small = 0) { add({power_cut, small}); }
  Patch& erase(uint8_t file) { return add({file, kErase}); }
  Patch& resize(uint8_t file, uint32_t bytes) { return add({file, kResize}).number(bytes).add({kUnsealed}); }
  Patch& put(uint8_t file, uint32_t offset, std::span<const std::byte> what, uint8_t seal) {
    add({file, 0}).number(offset).add({static_cast<uint8_t>(what.size())});
    bytes_.insert(bytes_.end(), what.begin(), what.end());
    return add({seal});
  }
  Patch& put(uint8_t file, uint32_t offset, uint8_t what, uint8_t seal = kSealed) {
    const std::byte byte{what};
    return put(file, offset, std::span(&byte, 1), seal);
  }
  operator Bytes() const { return bytes_; }

 private:
  Patch& add(std::initializer_list<uint8_t> bytes) {
    for (const uint8_t byte : bytes) bytes_.push_back(std::byte{byte});
    return *this;
  }
  Patch& number(uint32_t value) {
    for (int i = 0; i < 4; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
    return *this;
  }
  Bytes bytes_;
};

std::vector<Seed> seeds() {
  const auto& table = specimen().image().at(lab::Specimen::directory() + "/" + disk::table_name(0));
  const auto first_entry = std::span(table).subspan(disk::entry_offset(0), offsetof(SlotEntry, sum));
  constexpr uint8_t kPowerCut = 3, kSmall = 7;
  return {
      {"as_it_was", Patch()},
      {"after_a_power_cut", Patch(kPowerCut)},
      {"lowered_capacity", Patch(0, kSmall)},
      {"no_superblock", Patch().erase(kSuperblock)},
      {"superblocks_damaged",
       Patch().put(kSuperblock, 40, 1, kUnsealed).put(kSuperblock, 4136, 1, kUnsealed)},
      {"superblock_of_another_version", Patch().put(kSuperblock, 8, 2)},
      {"segments_of_another_size", Patch().put(kSuperblock, 88 + 2, 9).put(kSuperblock, 4096 + 88 + 2, 9)},
      {"no_table", Patch().erase(kTable)},
      {"no_data", Patch().erase(kData)},
      {"table_cut_in_an_entry", Patch().resize(kTable, kPage + 300)},
      {"table_shorter_than_a_page", Patch().resize(kTable, 100)},
      {"table_of_zeros", Patch().resize(kTable, 0).resize(kTable, 2 * kPage)},
      {"data_cut", Patch().resize(kData, kPage)},
      {"data_cut_after_a_power_cut", Patch(kPowerCut).resize(kData, kPage)},
      {"retired", Patch().put(kTable, offsetof(SegmentHeader, flags), disk::kRetiredFlag)},
      {"of_another_store", Patch().put(kTable, offsetof(SegmentHeader, store_id), 0xAA)},
      {"slots_of_no_bytes", Patch().put(kTable, offsetof(SegmentHeader, slot_bytes) + 1, 0)},
      {"one_block_twice", Patch().put(kTable, disk::entry_offset(1), first_entry, kSealed)}};
}

const Registered kRegistered({.name = "directory", .kind = Kind::kStore, .run = run, .seeds = seeds});

}  // namespace
}  // namespace terrace::fuzz
