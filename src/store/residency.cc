#include "store/residency.h"

#include <algorithm>
#include <tuple>

#include "base/assert.h"

#include "base/hooks.h"
#include "record/record.h"
#include "store/make_room.h"

namespace terrace::store {

ResidenceId Residency::insert(BlockId block, uint64_t payload_bytes, uint64_t place, uint64_t bucket,
                              uint32_t segment_number, policy::Rank rank) {
  // All the memory that it takes comes first, so that without any nothing is changed.
  grow();
  TERRACE_ASSERT(residence_of_[block] == kNoResidence);
  make_room(residences_, free_);
  const TenantId tenant = blocks_[block].tenant;
  shares_.make_room(tenant);
  leaves_.make_room({tenant, bucket});
  SegmentUse* const use = segment_number == tier::kNoSegment ? nullptr : &segments_[segment_number];

  ResidenceId id;
  if (free_.empty()) {
    id = static_cast<ResidenceId>(residences_.size());
    residences_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Residence& residence = residences_[id];
  const uint32_t generation = residence.generation;
  residence = Residence{};
  residence.generation = generation;
  residence.block = block;
  residence.payload_bytes = payload_bytes;
  residence.place = place;
  residence.bucket = bucket;
  residence.segment = segment_number;
  residence.rank = rank;
  residence.tenant = tenant;
  residence_of_[block] = id;
  ++count_;
  payload_bytes_ += payload_bytes;
  shares_.add_block(tenant, record::record_bytes(payload_bytes));

  if (use != nullptr) {
    use->tenant = use->first == kNoResidence || use->tenant == tenant ? tenant : kSeveral;
    residence.next = use->first;
    if (use->first != kNoResidence) residences_[use->first].previous = id;
    use->first = id;
    use->warmest = std::max(use->warmest, rank);
  }
  blocks_.add_ref(block);
  add_child(blocks_[block].parent);
  blocks_.set_bits(block, tier_bit(tier_), true);
  queue_if_candidate(id);
  return id;
}

void Residency::grow() {
  if (residence_of_.size() >= blocks_.capacity()) return;
  children_.resize(blocks_.capacity(), 0);  // before what tells that both have grown
  residence_of_.resize(blocks_.capacity(), kNoResidence);
}

void Residency::add_child(BlockId parent) {
  if (parent == kNoBlock) return;
  grow();
  ++children_[parent];
}

void Residency::drop_child(BlockId parent) {
  if (parent == kNoBlock) return;
  TERRACE_ASSERT(children_[parent] > 0);
  if (--children_[parent] > 0) return;
  if (const ResidenceId up = find(parent); up != kNoResidence) queue_if_candidate(up);
}

void Residency::erase(BlockId block) {
  const ResidenceId id = find(block);
  TERRACE_ASSERT(id != kNoResidence);
  Residence& residence = residences_[id];
  if (residence.segment != tier::kNoSegment) {
    SegmentUse& use = segments_[residence.segment];
    if (residence.previous != kNoResidence)
      residences_[residence.previous].next = residence.next;
    else
      use.first = residence.next;
    if (residence.next != kNoResidence) residences_[residence.next].previous = residence.previous;
    if (residence.pins > 0) --use.held;
    if (use.first == kNoResidence) use.warmest = 0;
  }
  residence_of_[block] = kNoResidence;
  ++residence.generation;
  residence.block = kNoBlock;
  free_.push_back(id);
  --count_;
  payload_bytes_ -= residence.payload_bytes;
  shares_.drop_block(residence.tenant, record::record_bytes(residence.payload_bytes));
  policy_->left(blocks_[block].key);

  drop_child(blocks_[block].parent);
  blocks_.set_bits(block, tier_bit(tier_), false);
  blocks_.release(block);
}

void Residency::recount(BlockId block) {
  const ResidenceId id = find(block);
  if (id == kNoResidence) return;
  Residence& residence = residences_[id];
  const TenantId tenant = blocks_[block].tenant;
  if (residence.tenant == tenant) return;
  const uint64_t bytes = record::record_bytes(residence.payload_bytes);
  shares_.make_room(tenant);
  leaves_.make_room({tenant, residence.bucket});
  shares_.drop_block(residence.tenant, bytes);
  shares_.add_block(tenant, bytes);
  if (residence.segment != tier::kNoSegment) segments_[residence.segment].tenant = kSeveral;
  residence.tenant = tenant;  // an entry in the other one's lane counts no more
  residence.queued = false;
  queue_if_candidate(id);
}

void Residency::touch(ResidenceId id, uint64_t time, bool inserted) {
  Residence& residence = residences_[id];
  residence.rank = policy_->rank({blocks_[residence.block].key, time, inserted});
  if (residence.segment != tier::kNoSegment) {
    auto& warmest = segments_[residence.segment].warmest;
    warmest = std::max(warmest, residence.rank);
  }
}

void Residency::pin(ResidenceId id) {
  Residence& residence = residences_[id];
  if (residence.pins++ == 0 && residence.segment != tier::kNoSegment) ++segments_[residence.segment].held;
}

void Residency::unpin(ResidenceId id) {
  Residence& residence = residences_[id];
  TERRACE_ASSERT(residence.pins > 0);
  if (--residence.pins > 0) return;
  if (residence.segment != tier::kNoSegment) --segments_[residence.segment].held;
  queue_if_candidate(id);
}

void Residency::hold_segment(uint32_t number) {
  if (number != tier::kNoSegment) ++segments_[number].held;
}

void Residency::drop_segment(uint32_t number) {
  if (number == tier::kNoSegment) return;
  TERRACE_ASSERT(segments_[number].held > 0);
  --segments_[number].held;
}

void Residency::queue_if_candidate(ResidenceId id) {
  Residence& residence = residences_[id];
  if (!policy_->evicts() || residence.queued || residence.pins > 0 || children_[residence.block] > 0) return;
  residence.queued = true;
  leaves_.push({residence.tenant, residence.bucket}, {residence.rank, id, residence.generation});
}

void Residency::move_to_bucket(uint32_t segment, uint64_t bucket) {
  for (const BlockId block : blocks_in(segment)) {
    const ResidenceId id = find(block);
    Residence& residence = residences_[id];
    if (residence.bucket == bucket) continue;
    leaves_.make_room({residence.tenant, bucket});
    residence.bucket = bucket;  // an entry in the old one counts no more
    residence.queued = false;
    queue_if_candidate(id);
  }
}

LeafQueue::Verdict Residency::judge(const LeafQueue::Lane& lane, LeafQueue::Entry& entry) {
  Residence& residence = residences_[entry.id];
  if (residence.generation != entry.generation || residence.bucket != lane.bucket ||
      residence.tenant != lane.tenant) {
    return LeafQueue::Verdict::kDrop;
  }
  if (residence.pins > 0 || children_[residence.block] > 0) {
    TERRACE_PROBE("store.leaf_is_one_no_more");
    residence.queued = false;  // queued again when the last pin or child goes
    return LeafQueue::Verdict::kDrop;
  }
  if (residence.rank == entry.rank) return LeafQueue::Verdict::kTake;
  entry.rank = residence.rank;
  TERRACE_PROBE("store.leaf_grew_warmer");
  return LeafQueue::Verdict::kRequeue;
}

LeafQueue::Judge Residency::judge() {
  return [this](const LeafQueue::Lane& lane, LeafQueue::Entry& entry) { return judge(lane, entry); };
}

std::optional<BlockId> Residency::taken(std::optional<LeafQueue::Entry> entry) {
  if (!entry) return std::nullopt;
  residences_[entry->id].queued = false;
  return residences_[entry->id].block;
}

std::optional<BlockId> Residency::coldest_leaf(uint64_t bucket) {
  return taken(leaves_.pop(bucket, judge()));
}

std::optional<BlockId> Residency::coldest_leaf() {
  return taken(leaves_.pop_any(judge()));
}

std::optional<BlockId> Residency::coldest_leaf_above(uint64_t bucket) {
  return taken(leaves_.pop_of(shares_.above(), bucket, judge()));
}

std::optional<BlockId> Residency::coldest_leaf_of(TenantId tenant, uint64_t bucket) {
  return taken(leaves_.pop_of(std::span(&tenant, 1), bucket, judge()));
}

std::optional<BlockId> Residency::coldest_leaf_of(TenantId tenant) {
  return taken(leaves_.pop_any_of(tenant, judge()));
}

uint32_t Residency::coldest_segment_number(uint32_t domain, std::optional<TenantId> only) const {
  uint32_t coldest = tier::kNoSegment;
  if (!policy_->evicts()) return coldest;
  std::tuple<bool, policy::Rank, uint32_t> least;
  for (const auto& [number, use] : segments_) {
    if (tier::segment_domain(number) != domain || use.first == kNoResidence || use.held > 0) continue;
    const bool spared = use.tenant == kSeveral || shares_[use.tenant].above() == 0;
    if (only && spared && use.tenant != *only) continue;
    const std::tuple candidate(spared, use.warmest, number);
    if (coldest != tier::kNoSegment && least <= candidate) continue;
    coldest = number;
    least = candidate;
  }
  return coldest;
}

std::vector<BlockId> Residency::coldest_segment(uint32_t domain) const {
  return blocks_in(coldest_segment_number(domain, std::nullopt));
}

std::vector<BlockId> Residency::coldest_segment_for(TenantId tenant, uint32_t domain) const {
  return blocks_in(coldest_segment_number(domain, tenant));
}

std::vector<BlockId> Residency::blocks_in(uint32_t number) const {
  std::vector<BlockId> blocks;
  const auto found = segments_.find(number);
  if (found == segments_.end()) return blocks;
  for (ResidenceId id = found->second.first; id != kNoResidence; id = residences_[id].next) {
    blocks.push_back(residences_[id].block);
  }
  return blocks;
}

}  // namespace terrace::store
