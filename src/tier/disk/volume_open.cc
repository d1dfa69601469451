// Opening a directory: whose it is, the lock, the superblock, a new epoch, which segments are there (decision
// 9).
#include <algorithm>

#include <fmt/format.h>

#include "base/hooks.h"
#include "tier/disk/namespaces_file.h"
#include "tier/disk/volume.h"

namespace terrace::tier::disk {
namespace {

constexpr uint32_t kEpochJump = 1024;  // after a rebuild: beyond any life whose writes left no trace
constexpr uint64_t kZerosBytes = base::kMiB;

}  // namespace

Outcome<void> DiskVolume::open() {
  auto opened = open_store();
  if (!opened) {
    // What was taken is given back: a probe may open again.
    superblock_file_.reset();
    namespaces_file_.reset();
    lock_.reset();
  }
  return opened;
}

Outcome<void> DiskVolume::open_store() {
  const auto names = list_directory();
  if (!names) return std::unexpected(names.error());
  if (auto locked = lock_directory(); !locked) return locked;
  TERRACE_CRASH_POINT("disk.open_locked");
  SuperblockRead read;
  auto file = SuperblockFile::open(parts_.files, options_.path, read);
  if (!file) return std::unexpected(file.error());
  superblock_file_.emplace(std::move(*file));
  auto superblock = choose_superblock(*names, read);
  if (!superblock) return std::unexpected(superblock.error());
  if (superblock->epoch >= kEpochMax) {
    return failure(Code::kLimitExceeded,
                   fmt::format("{} was opened {} times, which is as often as its format allows: "
                               "use another directory",
                               options_.path, superblock->epoch));
  }
  const uint64_t room = options_.capacity_bytes - kReserveBytes;
  const auto segments =
      static_cast<uint32_t>(std::min<uint64_t>(room / superblock->segment_bytes, kSegmentsMax)) +
      (TERRACE_MUTANT("disk.exceed_capacity") ? 2 : 0);
  if (segments == 0) {
    return failure(
        Code::kInvalidArgument,
        fmt::format("disk capacity {} is too small for {}, whose segments have {}: at least {}, or another "
                    "directory",
                    base::format_size(options_.capacity_bytes), options_.path,
                    base::format_size(superblock->segment_bytes),
                    base::format_size(superblock->segment_bytes + kReserveBytes)));
  }
  auto table = std::make_unique<SegmentTable>(superblock->segment_bytes, segments);
  Listed listed = list_segments(*names, *superblock, *table);

  TERRACE_CRASH_POINT("disk.open_listed");
  const Id boot_id = parts_.files.boot_id();
  const bool other_boot = superblock->boot_id != boot_id;
  // A life of its own before its first write. Boot and synced_seq stay until recovery has seen everything.
  if (!TERRACE_MUTANT("disk.same_epoch_again")) ++superblock->epoch;
  const bool was_killed = (superblock->flags & kCleanFlag) == 0;
  superblock->flags = 0;
  superblock->capacity_bytes = options_.capacity_bytes;
  const auto error = [this](const Error& e) {
    return failure(e.code, fmt::format("{}: {}", options_.path, to_string(e)), e.sys_errno);
  };
  if (auto written = superblock_file_->write_both(parts_.files, *superblock); !written)
    return error(written.error());
  TERRACE_CRASH_POINT("disk.open_epoch_begun");
  if (auto synced = parts_.files.sync_directory(options_.path); !synced) return error(synced.error());
  if (auto opened = open_namespaces(superblock->secret); !opened) return error(opened.error());
  TERRACE_CRASH_POINT("disk.open_namespaces_read");
  auto probe_page = memory::PageBuffer::make(kPage);
  auto zeros = memory::PageBuffer::make(kZerosBytes);
  if (!probe_page || !zeros) return failure(Code::kNoMemory, "out of memory while opening " + options_.path);
  probe_page_ = std::move(*probe_page);
  zeros_ = std::move(*zeros);

  const base::Lock lock(mutex_);
  superblock_ = *superblock;
  boot_id_ = boot_id;
  other_boot_ = other_boot;
  was_killed_ = was_killed;
  counter_ = 0;
  seq_ = uint64_t{superblock_.epoch} << kEpochShift;
  table_ = std::move(table);
  to_recover_ = std::move(listed.to_recover);
  segments_out_of_reach_ += listed.out_of_reach;
  opened_ = true;
  return {};
}

// Errors name the path. A directory that holds something, but nothing of Terrace's, is refused.
Outcome<std::vector<std::string>> DiskVolume::list_directory() {
  const std::string& path = options_.path;
  const auto error = [&](const Error& e) {
    return failure(e.code, fmt::format("disk path {}: {}", path, to_string(e)), e.sys_errno);
  };
  auto stat = parts_.files.stat(path);
  if (!stat && stat.error().code == Code::kNotFound) {
    if (auto made = parts_.files.make_directory(path); !made) return error(made.error());
    stat = parts_.files.stat(path);
  }
  if (!stat) return error(stat.error());
  if (!stat->is_directory) {
    return failure(Code::kInvalidArgument, fmt::format("disk path {} is not a directory", path));
  }
  auto names = parts_.files.list(path);
  if (!names) return error(names.error());
  std::erase(*names, "lost+found");
  const bool ours = std::ranges::any_of(*names, [](const std::string& name) {
    return name == kSuperblockName || name == kNamespacesName || parse_segment_name(name);
  });
  // A lock alone is what a start leaves that was killed before it wrote anything.
  const bool nothing = names->empty() || (names->size() == 1 && names->front() == kLockName);
  if (!ours && !nothing) {
    TERRACE_PROBE("disk.foreign_directory");
    return failure(Code::kForeign,
                   fmt::format("disk path {} holds '{}', and nothing of Terrace's: choose an empty "
                               "directory",
                               path, names->front()));
  }
  return std::move(*names);
}

Outcome<void> DiskVolume::lock_directory() {
  const std::string path = path_of(kLockName);
  auto lock = parts_.files.lock(path);
  if (lock) {
    lock_ = std::move(*lock);
    return {};
  }
  if (lock.error().code != Code::kInUse) {
    return failure(lock.error().code, fmt::format("{}: {}", path, to_string(lock.error())),
                   lock.error().sys_errno);
  }
  const auto pid = parts_.files.lock_owner(path);
  return failure(Code::kInUse, fmt::format("disk path {} is in use by process {}", options_.path,
                                           pid ? std::to_string(*pid) : "unknown"));
}

Outcome<Superblock> DiskVolume::choose_superblock(const std::vector<std::string>& names,
                                                  const SuperblockRead& read) {
  if (read.found) return *read.found;
  if (auto rebuilt = rebuild_superblock(names)) {
    TERRACE_PROBE("disk.superblock_rebuilt");
    return *rebuilt;
  }
  TERRACE_CRASH_POINT("disk.format_begun");
  Superblock fresh;
  parts_.files.random_bytes(fresh.store_id);
  parts_.files.random_bytes(fresh.secret);
  fresh.segment_bytes = options_.segment_bytes;
  fresh.boot_id = parts_.files.boot_id();
  return fresh;
}

// Both copies damaged: every segment header repeats what counts. Boot and synced_seq are unknown, so every
// record is verified whole before it is present.
std::optional<Superblock> DiskVolume::rebuild_superblock(const std::vector<std::string>& names) {
  std::optional<Superblock> rebuilt;
  auto page = memory::PageBuffer::make(kPage);
  for (const std::string& name : names) {
    const auto parsed = parse_segment_name(name);
    if (!page || !parsed || !parsed->is_table) continue;
    const auto stat = parts_.files.stat(path_of(name));
    auto file = parts_.files.open(path_of(name), {.read_only = true});
    if (!stat || !file || stat->bytes < kPage || !parts_.files.read(**file, 0, page->bytes())) continue;
    uint32_t version = 0;
    const auto header = open_segment_header(page->bytes(), version);
    if (!header || header->segment_bytes < kSegmentBytesMin || header->segment_bytes > kSegmentBytesMax ||
        header->segment_bytes % kPage != 0)
      continue;
    if (!rebuilt) {
      rebuilt.emplace();
      rebuilt->store_id = header->store_id;
      rebuilt->secret = header->secret;
      rebuilt->segment_bytes = header->segment_bytes;
    }
    if (header->store_id != rebuilt->store_id) continue;
    const uint64_t epoch =
        std::max(newest_epoch(**file, *header, stat->bytes), header->generation >> kEpochShift);
    rebuilt->epoch = std::max(rebuilt->epoch, static_cast<uint32_t>(std::min<uint64_t>(epoch, kEpochMax)));
  }
  if (rebuilt) rebuilt->epoch = std::min(rebuilt->epoch + kEpochJump, kEpochMax - 1);
  return rebuilt;
}

uint64_t DiskVolume::newest_epoch(io::File& table, const SegmentHeader& header, uint64_t bytes) {
  uint64_t newest = 0;
  constexpr uint32_t kEntries = 4096;
  auto buffer = memory::PageBuffer::make(kEntries * sizeof(SlotEntry));
  for (uint32_t first = 0; buffer && first < header.slot_count; first += kEntries) {
    const uint64_t offset = entry_offset(first);
    const uint64_t wanted = std::min<uint64_t>(kEntries, header.slot_count - first) * sizeof(SlotEntry);
    if (offset >= bytes) break;
    const uint64_t length = base::round_down(std::min(wanted, bytes - offset), sizeof(SlotEntry));
    if (!parts_.files.read(table, offset, buffer->bytes().first(length))) break;
    for (uint64_t at = 0; at < length; at += sizeof(SlotEntry)) {
      const uint32_t index = first + static_cast<uint32_t>(at / sizeof(SlotEntry));
      const auto entry =
          open_entry(buffer->bytes().subspan(at, sizeof(SlotEntry)),
                     entry_seed(header.secret, header.generation, header.segment, index), header.slot_bytes);
      if (entry) newest = std::max({newest, entry->generation >> kEpochShift, entry->seq >> kEpochShift});
    }
  }
  return newest;
}

// Segments that have files are the allocator's only when recovery has read them.
DiskVolume::Listed DiskVolume::list_segments(const std::vector<std::string>& names,
                                             const Superblock& superblock, SegmentTable& table) {
  Listed listed;
  for (const std::string& name : names) {
    const auto parsed = parse_segment_name(name);
    if (!parsed) continue;
    const auto stat = parts_.files.stat(path_of(name));
    const uint64_t bytes = stat ? base::round_up(std::max(stat->bytes, stat->allocated_bytes), kPage) : 0;
    if (parsed->segment >= table.size()) {
      if (parsed->is_table || std::ranges::find(names, table_name(parsed->segment)) == names.end()) {
        TERRACE_PROBE("disk.capacity_was_lowered");
        drop_surplus(parsed->segment, superblock, listed);
      }
      continue;
    }
    SegmentRecord& segment = table.segment(parsed->segment);
    const uint64_t before = std::max(segment.disk_bytes, superblock.segment_bytes);
    segment.disk_bytes += bytes;
    listed.surplus += std::max(segment.disk_bytes, superblock.segment_bytes) - before;
    if (!segment.found) {
      segment.found = true;
      table.slots().quarantine(parsed->segment);
      listed.to_recover.push_back(parsed->segment);
    }
  }
  table.sacrifice((listed.surplus + superblock.segment_bytes - 1) / superblock.segment_bytes);
  std::ranges::sort(listed.to_recover, std::ranges::greater());
  return listed;
}

// The capacity was lowered (D2): segments beyond it go, if they are ours. One that stays would be announced
// again by a later start with more room: until then nothing can be removed for good (D1).
void DiskVolume::drop_surplus(uint32_t number, const Superblock& superblock, Listed& listed) {
  const std::string table = path_of(table_name(number)), data = path_of(data_name(number));
  auto page = memory::PageBuffer::make(kPage);
  auto file = parts_.files.open(table, {.read_only = true});
  uint32_t version = 0;
  const auto gone = [](const auto& result) { return result || result.error().code == Code::kNotFound; };
  bool stays = !page || (!file && !gone(file));
  if (page && file) {
    const auto read = parts_.files.read(**file, 0, page->bytes());
    stays = !read && read.error().code == Code::kIo;
    const auto header = open_segment_header(page->bytes(), version);
    if (read && header && header->store_id == superblock.store_id && header->segment == number) {
      const auto removed = parts_.files.remove(data);
      TERRACE_CRASH_POINT("disk.surplus_half_gone");
      stays = !gone(parts_.files.remove(table)) && !gone(removed);
    }
  }
  if (stays) ++listed.out_of_reach;
  for (const std::string& path : {table, data}) {
    if (const auto stat = parts_.files.stat(path))
      listed.surplus += base::round_up(stat->allocated_bytes, kPage);
  }
}

Result<void> DiskVolume::open_namespaces(const record::Secret& secret) {
  const std::string path = path_of(kNamespacesName);
  auto file = parts_.files.open(path, {.create = true});
  if (!file) {
    // Names only: without them the store still works, unless the device fails.
    if (file.error().code == Code::kIo) return std::unexpected(file.error());
    return {};
  }
  const auto stat = parts_.files.stat(path);
  const uint64_t bytes = stat ? std::min(stat->bytes, kNamespacesBytesMax) : 0;
  std::vector<std::byte> content(bytes);
  if (bytes > 0 && !parts_.files.read(**file, 0, content)) content.clear();
  uint64_t end = 0;
  auto known = decode_namespaces(content, secret, end);
  namespaces_file_ = std::move(*file);
  const base::Lock lock(mutex_);
  namespaces_end_ = end;
  for (KnownNamespace& one : known) namespaces_[one.root] = std::move(one);
  return {};
}

}  // namespace terrace::tier::disk
