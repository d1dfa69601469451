#include "tier/disk/disk_tier.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/assert.h"

namespace terrace::tier::disk {

DiskTier::DiskTier(PathChoice path_choice, std::vector<std::unique_ptr<DiskVolume>> volumes)
    : path_choice_(path_choice), volumes_(std::move(volumes)) {}

DiskTier::~DiskTier() = default;

Outcome<std::unique_ptr<DiskTier>> DiskTier::open(const DiskOptions& options, const DiskParts& parts) {
  auto validated = validate(options);
  if (!validated) return std::unexpected(validated.error());
  TERRACE_ASSERT(parts.schedulers.size() == validated->size());
  std::vector<std::unique_ptr<DiskVolume>> volumes;
  std::optional<Failure> device;
  size_t opened = 0;
  for (uint32_t i = 0; i < validated->size(); ++i) {
    volumes.push_back(std::make_unique<DiskVolume>(
        i, std::move((*validated)[i]),
        VolumeParts{parts.clock, parts.executor, parts.files, parts.schedulers[i]}));
    auto result = volumes.back()->open();
    if (result) {
      ++opened;
    } else if (result.error().error.code != Code::kIo || options.require_all_paths) {
      return std::unexpected(result.error());  // what is misconfigured is said, not worked around
    } else if (!device) {
      device = result.error();
    }
  }
  if (opened == 0) return std::unexpected(*device);
  return std::unique_ptr<DiskTier>(new DiskTier(options.path_choice, std::move(volumes)));
}

void DiskTier::start(TierListener& listener) {
  listener_ = &listener;
  for (const auto& volume : volumes_) recovering_ += volume->opened() ? 1 : 0;
  for (const auto& volume : volumes_) volume->start(*this);
}

// --- where ---

DiskVolume* DiskTier::volume(Place place) const {
  const uint32_t number = volume_of(place);
  return number < volumes_.size() ? volumes_[number].get() : nullptr;
}

uint32_t DiskTier::preferred(const record::BlockMeta& meta) const {
  const auto paths = static_cast<uint32_t>(volumes_.size());
  return path_choice_ == PathChoice::kByRank ? meta.member.shard % paths
                                             : static_cast<uint32_t>(meta.key.word(2) % paths);
}

PlaceAnswer DiskTier::place(const record::BlockMeta& meta) {
  const auto paths = static_cast<uint32_t>(volumes_.size());
  const uint32_t first = preferred(meta);
  PlaceAnswer answer = volumes_[first]->place(meta);
  // The next healthy path takes what a failing one should have had; a full one keeps it (its own blocks are
  // evicted).
  for (uint32_t i = 1; i < paths && !answer && answer.error().why == Refusal::kUnavailable; ++i) {
    answer = volumes_[(first + i) % paths]->place(meta);
  }
  return answer;
}

void DiskTier::withdraw(Place place, uint64_t payload_bytes) {
  if (DiskVolume* const owner = volume(place)) owner->withdraw(place, payload_bytes);
}

void DiskTier::write(std::span<WriteOp> batch) {
  for (WriteOp& op : batch) {
    if (DiskVolume* const owner = volume(op.place)) {
      owner->write(std::move(op));
    } else {
      op.done(fail(Code::kInvalidArgument, "no such place"));
    }
  }
}

ReadTicket DiskTier::read(ReadOp op) {
  if (DiskVolume* const owner = volume(op.place)) return owner->read(std::move(op));
  op.sink->done(fail(Code::kNotFound, "no such place"));
  return 0;
}

void DiskTier::cancel(ReadTicket ticket) {
  const uint64_t number = ticket >> 56;
  if (number >= 1 && number <= volumes_.size()) volumes_[number - 1]->cancel(ticket);
}

void DiskTier::remove(std::span<const RemoveOp> batch, RemoveKind kind, Done done) {
  const auto join = std::make_shared<Join>(std::move(done));
  for (uint32_t i = 0; i < volumes_.size(); ++i) {
    std::vector<RemoveOp> own;
    for (const RemoveOp& op : batch) {
      if (volume_of(op.place) == i) own.push_back(op);
    }
    if (!own.empty() || kind != RemoveKind::kEvict) volumes_[i]->remove(own, kind, join);
  }
}

void DiskTier::exists(std::span<const Key>, base::TimePoint,
                      std::move_only_function<void(Result<std::vector<uint64_t>>)> done) {
  done(fail(Code::kUnsupported, "the disk tier's index is exact: ask the store"));
}

record::Secret DiskTier::secret(Place place) const {
  const DiskVolume* const owner = volume(place);
  return owner != nullptr ? owner->secret() : record::Secret{};
}

record::Binding DiskTier::binding(const Key&, Place place) const {
  const DiskVolume* const owner = volume(place);
  return owner != nullptr ? owner->binding(place) : record::Binding{};
}

bool DiskTier::available(Place place) const {
  const DiskVolume* const owner = volume(place);
  return owner != nullptr && owner->available();
}

void DiskTier::used(Place place, uint64_t rank) {
  if (DiskVolume* const owner = volume(place)) owner->used(place, rank);
}

// --- namespaces: every path has them all, so that each can be read alone ---

void DiskTier::remember_namespace(const KnownNamespace& known) {
  for (const auto& volume : volumes_) volume->remember_namespace(known);
}

std::vector<KnownNamespace> DiskTier::namespaces() const {
  std::vector<KnownNamespace> all;
  for (const auto& volume : volumes_) {
    for (KnownNamespace& known : volume->namespaces()) {
      const auto there = std::ranges::find(all, known.root, &KnownNamespace::root);
      if (there == all.end()) {
        all.push_back(std::move(known));
      } else if (!there->known && known.known) {
        *there = std::move(known);
      }
    }
  }
  return all;
}

// --- state ---

Status DiskTier::status() const {
  Status status;
  bool any_recovering = false, any_degraded = false, any_usable = false, all_closed = true;
  for (const auto& volume : volumes_) {
    PathStatus path = volume->path_status();
    const Usage usage = volume->usage();
    status.usage.used_bytes += usage.used_bytes;
    status.usage.allocated_bytes += usage.allocated_bytes;
    status.usage.capacity_bytes += usage.capacity_bytes;
    status.usage.blocks += usage.blocks;
    status.recovered_blocks += volume->recovered_blocks();
    any_recovering = any_recovering || path.state == State::kRecovering;
    any_degraded = any_degraded || path.state == State::kDegraded || path.state == State::kUnavailable;
    any_usable = any_usable || path.state == State::kReady || path.state == State::kRecovering ||
                 path.state == State::kDegraded;
    all_closed = all_closed && path.state == State::kClosed;
    if (!path.last_error.empty()) status.last_error = path.path + ": " + path.last_error;
    status.paths.push_back(std::move(path));
  }
  status.engine = volumes_.front()->engine();
  status.state = all_closed       ? State::kClosed
                 : !any_usable    ? State::kUnavailable
                 : any_recovering ? State::kRecovering
                 : any_degraded   ? State::kDegraded
                                  : State::kReady;
  return status;
}

void DiskTier::sync(Done done) {
  const auto join = std::make_shared<Join>(std::move(done));
  for (const auto& volume : volumes_) {
    // A path that could not be opened has nothing to sync.
    if (!volume->opened()) continue;
    volume->sync([join](Result<void> result) {
      if (!result) join->failed(result.error());
    });
  }
}

uint64_t DiskTier::close(base::TimePoint deadline) {
  uint64_t abandoned = 0;
  for (const auto& volume : volumes_) abandoned += volume->close(deadline);
  return abandoned;
}

// --- listener ---

std::vector<uint32_t> DiskTier::found(std::span<const FoundBlock> blocks) {
  return listener_->found(blocks);
}

void DiskTier::recovered(Result<void> result) {
  // A path that is opened later, by a probe, announces its blocks and a change of state.
  const uint32_t before = recovering_.load();
  if (before == 0) return listener_->state_changed();
  if (recovering_.fetch_sub(1) == 1) listener_->recovered(result);
}

void DiskTier::gone(const Key& key, Place place) {
  listener_->gone(key, place);
}
void DiskTier::state_changed() {
  listener_->state_changed();
}

}  // namespace terrace::tier::disk
