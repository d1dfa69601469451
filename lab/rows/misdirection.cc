#include "lab/rows/misdirection.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "io/fault_plan.h"
#include "lab/kit/specimen.h"
#include "record/record.h"
#include "tier/disk/layout.h"

namespace terrace::lab {
namespace {

namespace disk = tier::disk;

constexpr uint64_t kFullCases = 10'000;
constexpr uint64_t kCasesPerSpecimen = 25;
constexpr Writer kOtherWriters = 1000;  // of the store whose files are swapped in

enum class Case : uint8_t {
  kWriteElsewhere,  // writes of records and slot entries land at other places of their files
  kReadElsewhere,   // reads return other places, at start and later
  kPreviousLife,    // a slot used again, with the record it held before
  kSwappedRecords,  // two records, or their slot entries, change places
  kPlantedInValue,  // a value that holds whole records, copied over records
  kOtherStore,      // files of another store with the same keys
  kOtherTime,       // files of the same store from before
  kOtherKey,        // a record sealed for this very place, of another key
};
constexpr uint64_t kCases = 8;
constexpr std::array<std::string_view, kCases> kNames{"write_elsewhere", "read_elsewhere", "previous_life",
                                                      "swapped",         "planted",        "other_store",
                                                      "other_time",      "other_key"};

using Bytes = std::vector<std::byte>;

class Cases {
 public:
  Cases(uint64_t first, uint64_t count)
      : first_(first),
        count_(count),
        ours_({.seed = first, .catalog_seed = first, .mix = SizeMix::kFew, .bytes_max = 6000}),
        theirs_({.seed = first + 1,
                 .catalog_seed = first,
                 .mix = SizeMix::kFew,
                 .bytes_max = 6000,
                 .first_writer = kOtherWriters}),
        random_(first) {
    rewrite_half();
  }

  Findings run() {
    findings_.count("cases", 0);
    findings_.count("checked", 0);
    for (uint64_t number = first_; number < first_ + count_; number++) {
      random_ = base::Random(number ^ 0x0D15C);
      const uint64_t kind = number % kCases;
      context_ = fmt::format("case {} ({}): ", number, kNames[kind]);
      may_miss_.clear();
      must_miss_.clear();
      ours_.restore();
      stage(static_cast<Case>(kind));
      findings_.count("cases");
      findings_.count(std::string(kNames[kind]));
    }
    for (auto& failure : findings_.failures) {
      failure +=
          fmt::format("; replay: terrace-lab run --row 6 --seed {} --count {} --processes 1", first_, count_);
    }
    return std::move(findings_);
  }

 private:
  using Location = Specimen::Location;

  // Another life of the store: half of the chains removed and stored anew, so that slots are used again.
  void rewrite_half() {
    earlier_ = ours_.image();
    earlier_locations_ = ours_.locations();
    ours_.live(findings_, [this](Client& client) {
      for (uint32_t chain = 0; chain < ours_.catalog().chains(); chain += 2) {
        client.run({.kind = OpKind::kRemove,
                    .chain = chain,
                    .count = static_cast<uint32_t>(ours_.catalog().chain(chain).size()),
                    .pick = 1});
      }
      for (uint32_t chain = 0; chain < ours_.catalog().chains(); chain += 2) ours_.store_chain(client, chain);
    });
  }

  void stage(Case kind) {
    switch (kind) {
      case Case::kWriteElsewhere:
        return write_elsewhere();
      case Case::kReadElsewhere:
        return read_elsewhere();
      case Case::kPreviousLife:
        return previous_life();
      case Case::kSwappedRecords:
        return swapped_records();
      case Case::kPlantedInValue:
        return planted_in_value();
      case Case::kOtherStore:
        return other_store();
      case Case::kOtherTime:
        return other_time();
      case Case::kOtherKey:
        return other_key();
    }
  }

  void examine() { ours_.examine(may_miss_, must_miss_, findings_, context_); }

  // --- while the store runs: any block may be hit, and be missed

  void may_miss_all() {
    for (uint32_t block = 0; block < ours_.catalog().size(); block++) may_miss_.insert(block);
  }

  void write_elsewhere() {
    const auto before = states();
    work_under(io::FaultKind::kMisdirectedWrite, 0.1 + random_.unit() * 0.5);
    may_miss_all();
    forgive_removals();
    examine();
    reset(before);
  }

  void read_elsewhere() {
    const auto before = states();
    may_miss_all();
    if (random_.one_in(2)) {
      // Recovery reads other slot tables, gets read other records.
      ours_.machine().faults().set_chance(io::FaultKind::kMisdirectedRead, 0.1 + random_.unit() * 0.8);
      examine();
      ours_.machine().faults().set_rates({});
    } else {
      work_under(io::FaultKind::kMisdirectedRead, 0.1 + random_.unit() * 0.8);
      forgive_removals();
      examine();
    }
    reset(before);
  }

  // Some chains are removed, stored and read while requests go astray.
  void work_under(io::FaultKind kind, double chance) {
    auto& machine = ours_.machine();
    const auto started = machine.start();
    if (!started) return findings_.fail(context_ + "the start failed: " + started.error().message);
    if (!machine.store().wait_recovered(std::chrono::seconds(10)))
      findings_.fail(context_ + "recovery did not end");
    ClientOptions how;
    how.alone = true;
    how.mode = machine.options().store.l1.mode;
    how.reliable = how.pristine = how.complete = false;
    how.context = context_;
    auto client = std::make_unique<Client>(machine.store(), ours_.catalog(), ours_.expected(), machine.time(),
                                           findings_, how);
    machine.faults().set_chance(kind, chance);
    for (int i = 0; i < 12; i++) {
      const auto chain = static_cast<uint32_t>(random_.below(ours_.catalog().chains()));
      const auto count = static_cast<uint32_t>(ours_.catalog().chain(chain).size());
      if (random_.one_in(3))
        client->run({.kind = OpKind::kRemove, .chain = chain, .count = count, .pick = 1});
      ours_.store_chain(*client, chain);
      for (const uint32_t block : ours_.catalog().chain(chain))
        client->check_block(block, std::chrono::seconds(1));
    }
    machine.faults().set_rates({});
    client->abandon();
    client.reset();
    machine.kill();
    machine.bury();
  }

  std::vector<KeyState> states() {
    std::vector<KeyState> states;
    for (uint32_t block = 0; block < ours_.catalog().size(); block++)
      states.push_back(ours_.expected().of(block));
    return states;
  }
  void reset(const std::vector<KeyState>& states) {
    for (uint32_t block = 0; block < states.size(); block++) {
      ours_.expected().forgive(block, states[block].removed);
    }
  }
  // A removal whose cleared entry went elsewhere left the old one: its content is right, nothing more can be
  // asked.
  void forgive_removals() {
    for (uint32_t block = 0; block < ours_.catalog().size(); block++) ours_.expected().forgive(block, 0);
  }

  // --- at rest

  Bytes piece(const Image& image, const std::string& path, uint64_t offset, uint64_t bytes) const {
    const auto& file = image.at(path);
    return {file.begin() + static_cast<int64_t>(offset), file.begin() + static_cast<int64_t>(offset + bytes)};
  }
  Bytes record_of(const Image& image, const Location& where) const {
    return piece(image, where.data, where.record_offset, where.slot_bytes);
  }
  Bytes entry_of(const Image& image, const Location& where) const {
    return piece(image, where.table, where.entry_offset, sizeof(disk::SlotEntry));
  }
  uint32_t named_by(const Bytes& entry) const {
    Key key;
    std::memcpy(key.bytes.data(), entry.data(), key.bytes.size());
    return ours_.catalog().find(key);
  }
  const std::pair<const uint32_t, Location>& any_block() {
    const auto& all = ours_.locations();
    return *std::next(all.begin(), static_cast<int64_t>(random_.below(all.size())));
  }

  // The record, or the slot entry, or both, that a slot held in the life before.
  void previous_life() {
    const uint64_t what = random_.below(3);
    for (const auto& [block, where] : ours_.locations()) {
      const bool same_slot = earlier_.contains(where.data) &&
                             earlier_.at(where.data).size() == ours_.image().at(where.data).size();
      if (!same_slot || random_.one_in(3)) continue;
      const Bytes old_record = record_of(earlier_, where), old_entry = entry_of(earlier_, where);
      if (old_record == record_of(ours_.image(), where)) continue;
      if (what != 1) ours_.put(where.data, where.record_offset, old_record);
      if (what != 0) ours_.put(where.table, where.entry_offset, old_entry);
      may_miss_.insert(block);
      if (what == 0) must_miss_.insert(block);
      if (what != 0) may_miss_.insert(named_by(old_entry));  // of two entries of one key either may count
      findings_.count("old_records");
    }
    if (what == 2) forgive_removals();  // a whole slot of before is no lie: right bytes of an earlier time
    const auto before = states();
    examine();
    reset(before);
  }

  void swapped_records() {
    const uint64_t swaps = 1 + random_.below(8);
    const bool entries = random_.one_in(3);
    std::set<uint32_t> used;
    for (uint64_t i = 0; i < swaps; i++) {
      const auto& [one, here] = any_block();
      const auto& [two, there] = any_block();
      const bool fit = here.slot_bytes == there.slot_bytes || entries;
      if (one == two || !fit || used.contains(one) || used.contains(two)) continue;
      used.insert({one, two});
      if (entries) {
        ours_.put(here.table, here.entry_offset, entry_of(ours_.image(), there));
        ours_.put(there.table, there.entry_offset, entry_of(ours_.image(), here));
      } else {
        ours_.put(here.data, here.record_offset, record_of(ours_.image(), there));
        ours_.put(there.data, there.record_offset, record_of(ours_.image(), here));
      }
      must_miss_.insert({one, two});
      findings_.count("swaps");
    }
    examine();
  }

  // A tenant stores values made of other tenants' records, headers and all; then the device copies such pages
  // over real records.
  void planted_in_value() {
    const auto& [victim, target] = any_block();
    const auto& [source, from] = any_block();
    Bytes planted = record_of(ours_.image(), from);
    if (random_.one_in(2)) planted = record_of(ours_.image(), target);  // a copy of the victim itself
    // Over another slot, at its start or inside its payload: wherever pages of a value may come to lie.
    const uint64_t room = target.slot_bytes / base::kPage;
    const uint64_t skip = random_.below(room) * base::kPage;
    const uint64_t bytes = std::min<uint64_t>(planted.size(), target.slot_bytes - skip);
    const Bytes was = piece(ours_.image(), target.data, target.record_offset + skip, bytes);
    const Bytes becomes(planted.begin(), planted.begin() + static_cast<int64_t>(bytes));
    ours_.put(target.data, target.record_offset + skip, becomes);
    may_miss_.insert(victim);
    (void)source;
    if (was != becomes) findings_.count("planted_pages", bytes / base::kPage);
    examine();
  }

  void other_store() {
    const uint64_t what = random_.below(5);
    for (const auto& [path, bytes] : theirs_.image()) {
      const auto name = disk::parse_segment_name(path.substr(Specimen::directory().size() + 1));
      const bool taken = (what == 0 && name && !name->is_table) ||         // data files
                         (what == 1 && name && name->is_table) ||          // slot tables
                         (what == 2 && name) ||                            // both
                         (what == 3 && path == Specimen::superblock()) ||  // the superblock
                         (what == 4 && random_.one_in(2));                 // any half
      if (!taken || path.ends_with(disk::kLockName)) continue;
      (void)ours_.machine().disk().replace(path, bytes);
      findings_.count("files_swapped");
      if (what == 3 || what == 4 || !name) may_miss_all();
      for (const auto& [block, where] : ours_.locations()) {
        if (where.data == path || where.table == path) may_miss_.insert(block);
      }
    }
    // With superblock and segments of theirs, it is their store: right keys, their writers. Not a lie either.
    const bool theirs = what == 4;
    if (!theirs) return examine();
    Findings apart;
    ours_.examine(may_miss_, {}, apart, context_);
    only_whole_values_matter(apart);
  }

  // Both stores' values are right for their keys; only what is of neither is wrong.
  void only_whole_values_matter(const Findings& apart) {
    for (const auto& [name, count] : apart.counts) findings_.count(name, count);
    for (const auto& failure : apart.failures) {
      const bool whole = failure.find("is of writer") != std::string::npos;
      if (!whole) findings_.fail_wrong(failure);
    }
  }

  void other_time() {
    const uint64_t what = random_.below(5);
    const auto before = states();
    for (const auto& [path, bytes] : earlier_) {
      const auto name = disk::parse_segment_name(path.substr(Specimen::directory().size() + 1));
      const bool taken = (what == 0 && name && !name->is_table && random_.one_in(2)) ||
                         (what == 1 && name && name->is_table && random_.one_in(2)) ||
                         (what == 2 && name && random_.one_in(2)) ||
                         (what == 3 && path == Specimen::superblock()) || (what == 4 && random_.one_in(2));
      if (!taken || path.ends_with(disk::kLockName)) continue;
      (void)ours_.machine().disk().replace(path, bytes);
      findings_.count("files_swapped");
    }
    may_miss_all();
    forgive_removals();  // the bytes of an earlier time are right bytes
    examine();
    // The store goes on from there: an epoch used twice must not make an old record pass for a new one.
    work_under(io::FaultKind::kDelay, 0);
    forgive_removals();
    examine();
    reset(before);
  }

  // All is right with it, place and sums too, but for the key in its header: sealed by a defect.
  void other_key() {
    const auto& [victim, target] = any_block();
    const auto& [other, from] = any_block();
    if (victim == other) return;
    disk::SlotEntry entry;
    std::memcpy(&entry, entry_of(ours_.image(), target).data(), sizeof entry);
    const disk::Superblock superblock = newest_superblock();
    Bytes record(target.slot_bytes);
    const auto payload = std::span(record).subspan(record::kHeaderBytes, entry.payload_bytes);
    fill(ours_.catalog()[other].key, 1, payload);
    record::PartSums sums;
    record::sum_parts(entry.key, payload, sums);
    const record::BlockMeta meta{.key = ours_.catalog()[other].key,
                                 .family = entry.family,
                                 .parent = entry.parent,
                                 .root = entry.root,
                                 .member = {entry.group, entry.shard, entry.shards},
                                 .payload_bytes = entry.payload_bytes};
    record::seal(
        meta, sums, superblock.secret,
        disk::make_binding(superblock.store_id, target.segment, entry.generation, target.record_offset),
        std::span(record).first(record::kHeaderBytes));
    ours_.put(target.data, target.record_offset, record);
    must_miss_.insert(victim);
    findings_.count("forged");
    examine();
  }

  disk::Superblock newest_superblock() const {
    const auto& file = ours_.image().at(Specimen::superblock());
    std::array<disk::Superblock, 2> copies;
    std::memcpy(copies.data(), file.data(), sizeof copies);
    return copies[0].sequence > copies[1].sequence ? copies[0] : copies[1];
  }

  const uint64_t first_, count_;
  Specimen ours_, theirs_;
  base::Random random_;
  Image earlier_;
  std::map<uint32_t, Location> earlier_locations_;
  std::string context_;
  std::set<uint32_t> may_miss_, must_miss_;
  Findings findings_;
};

}  // namespace

Findings misdirection_cases(uint64_t first, uint64_t count) {
  return Cases(first, count).run();
}

Findings run_misdirection(const RowOptions& options) {
  return run_in_slices(options, 6, kFullCases, kCasesPerSpecimen, misdirection_cases);
}

}  // namespace terrace::lab
