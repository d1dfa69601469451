// Slot tables, offline: OfflineStore::read_segment.
#include <algorithm>

#include <fmt/format.h>

#include "cli/offline_store.h"
#include "memory/page_buffer.h"
#include "record/layout.h"
#include "tier/disk/options.h"

namespace terrace::cli {
namespace {

namespace disk = tier::disk;

constexpr uint64_t kGenerationOffset = 20;  // in a binding (tier/disk/layout.h)

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

// Reads the table of one segment and collects what it names and what is wrong with it.
class TableReader {
 public:
  TableReader(io::FileSystem& files, const OfflineStore& store, uint32_t number, std::vector<Damage>& damage)
      : files_(files), store_(store), damage_(damage) {
    segment_.number = number;
    table_path_ = store.path_of(disk::table_name(number));
    segment_.data_path = store.path_of(disk::data_name(number));
  }

  OfflineSegment read() {
    open_data();
    const bool sound = read_table(disk::kPage) && open_header();
    if (!sound || (header_.flags & disk::kRetiredFlag) != 0) return std::move(segment_);
    // As much as the header speaks of, however long the file is.
    if (read_table(disk::table_bytes(header_.slot_count))) read_entries();
    return std::move(segment_);
  }

 private:
  void add(const std::string& file, uint64_t offset, std::string what,
           std::optional<Key> key = std::nullopt) {
    damage_.push_back({.file = file, .offset = offset, .key = key, .what = std::move(what)});
  }

  void open_data() {
    auto data = files_.open(segment_.data_path, {.direct = true, .read_only = true});
    if (data) {
      segment_.data = std::move(*data);
    } else if (data.error().code != Code::kNotFound) {
      add(segment_.data_path, 0, to_string(data.error()));
    }
  }

  bool read_table(uint64_t bytes_max) {
    auto table = read_control_file(files_, table_path_, bytes_max);
    if (table) {
      table_ = *std::move(table);
      return true;
    }
    // A segment's table is made before its data file.
    add(table_path_, 0, "slot table: " + to_string(table.error()));
    return false;
  }

  bool open_header() {
    const std::span<const std::byte> page(table_.data(), std::min<size_t>(table_.size(), disk::kPage));
    // The store was killed while it made the segment; after a power cut there may be a data file already.
    if (all_zero(page) && (segment_.data == nullptr || !store_.identity().all_durable)) return false;
    uint32_t version = 0;
    const auto header = disk::open_segment_header(page, version);
    std::string what;
    if (!header) {
      what = to_string(header.error());
      if (header.error().code == Code::kIncompatible) what += fmt::format(" ({})", version);
    } else if (header->store_id != store_.identity().store_id) {
      what = "it is of another store";
    } else if (header->segment != segment_.number) {
      what = fmt::format("it is of segment {}", header->segment);
    } else if (header->segment_bytes > disk::kSegmentBytesMax ||
               disk::table_bytes(header->slot_count) > disk::kSegmentOverhead + header->segment_bytes) {
      what =
          fmt::format("{} slots do not fit a segment of {} bytes", header->slot_count, header->segment_bytes);
    }
    if (!what.empty()) add(table_path_, 0, "segment header: " + what);
    if (what.empty()) header_ = *header;
    return what.empty();
  }

  void read_entries() {
    for (uint32_t index = 0; index < header_.slot_count; ++index) {
      const uint64_t at = disk::entry_offset(index);
      if (at + sizeof(disk::SlotEntry) > table_.size()) {
        check_unnamed(index, nullptr);
        continue;
      }
      const std::span<const std::byte> bytes(table_.data() + at, sizeof(disk::SlotEntry));
      if (all_zero(bytes)) continue;  // free
      const uint64_t seed = disk::entry_seed(header_.secret, header_.generation, segment_.number, index);
      const auto entry = disk::open_entry(bytes, seed, header_.slot_bytes);
      if (entry) {
        take(index, *entry);
      } else {
        const auto raw = base::load_le<disk::SlotEntry>(bytes.data());
        check_unnamed(index, &raw);
      }
    }
  }

  void take(uint32_t index, const disk::SlotEntry& entry) {
    const auto& superblock = store_.identity().superblock;
    const bool synced = superblock && entry.seq <= superblock->synced_seq;
    segment_.blocks.push_back({.entry = entry,
                               .offset = index * header_.slot_bytes,
                               .must_verify = !store_.identity().all_durable && !synced});
  }

  // A slot without a sound entry. Bytes of the segment's earlier lives are no damage: their generations are
  // older.
  void check_unnamed(uint32_t index, const disk::SlotEntry* raw) {
    const auto key = newer_record(index);
    if (!key && (raw == nullptr || raw->generation <= header_.generation)) return;
    add(table_path_, disk::entry_offset(index),
        raw == nullptr ? "slot table: it ends before the entry of a block" : "slot entry: wrong sum", key);
  }

  // The key of the record in the slot, when it was written in this life of the segment.
  std::optional<Key> newer_record(uint32_t index) {
    const uint64_t offset = index * header_.slot_bytes;
    auto page = memory::PageBuffer::make(record::kHeaderBytes);
    if (!page || segment_.data == nullptr || !files_.read(*segment_.data, offset, page->bytes()))
      return std::nullopt;
    const auto layout = base::load_le<record::HeaderLayout>(page->data());
    const auto generation = base::load_le<uint64_t>(layout.binding.data() + kGenerationOffset);
    if (generation <= header_.generation) return std::nullopt;
    const auto binding = disk::make_binding(header_.store_id, segment_.number, generation, offset);
    const auto opened = record::open_header(page->bytes(), header_.secret, binding);
    return opened ? std::optional(opened->meta.key) : std::nullopt;
  }

  io::FileSystem& files_;
  const OfflineStore& store_;
  std::vector<Damage>& damage_;
  std::string table_path_;
  std::vector<std::byte> table_;
  disk::SegmentHeader header_;
  OfflineSegment segment_;
};

}  // namespace

OfflineSegment OfflineStore::read_segment(uint32_t number, std::vector<Damage>& damage) const {
  return TableReader(*files_, *this, number, damage).read();
}

}  // namespace terrace::cli
