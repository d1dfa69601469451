#include "wire/fields.h"

#include "wire/field_parts.h"

namespace terrace::wire {

namespace {

using Builder = flatbuffers::FlatBufferBuilder;

Latency latency(const LatencyStats& of) {
  return {of.count, of.p50_us, of.p90_us, of.p99_us, of.max_us, of.mean_us};
}

LatencyStats latency_of(const Latency* from) {
  if (from == nullptr) return {};
  return {from->count(), from->p50_us(), from->p90_us(), from->p99_us(), from->max_us(), from->mean_us()};
}

flatbuffers::Offset<TierFigures> write_tier(Builder& builder, const TierStats& tier) {
  const auto read = latency(tier.read_latency), write = latency(tier.write_latency);
  const auto name = builder.CreateString(tier.name), state = builder.CreateString(tier.state);
  const auto engine = builder.CreateString(tier.engine), error = builder.CreateString(tier.last_error);
  const auto drops = builder.CreateVector(tier.drops, std::size(tier.drops));
  const auto misses = builder.CreateVector(tier.misses, std::size(tier.misses));
  const auto paths = builder.CreateVectorOfStrings(tier.paths);
  return CreateTierFigures(builder, name, state, engine, error, tier.used_bytes, tier.allocated_bytes,
                           tier.capacity_bytes, tier.blocks, tier.loads, tier.load_bytes, tier.load_errors,
                           tier.writes, tier.write_bytes, tier.write_errors, drops, tier.evictions,
                           tier.evicted_segments, tier.verification_failures, tier.hits, misses, &read,
                           &write, paths);
}

TierStats tier_of(const TierFigures& from) {
  TierStats tier;
  tier.name = string_of(from.name());
  tier.state = string_of(from.state());
  tier.engine = string_of(from.engine());
  tier.last_error = string_of(from.last_error());
  tier.used_bytes = from.used_bytes();
  tier.allocated_bytes = from.allocated_bytes();
  tier.capacity_bytes = from.capacity_bytes();
  tier.blocks = from.blocks();
  tier.loads = from.loads();
  tier.load_bytes = from.load_bytes();
  tier.load_errors = from.load_errors();
  tier.writes = from.writes();
  tier.write_bytes = from.write_bytes();
  tier.write_errors = from.write_errors();
  fill(tier.drops, from.drops());
  tier.evictions = from.evictions();
  tier.evicted_segments = from.evicted_segments();
  tier.verification_failures = from.verification_failures();
  tier.hits = from.hits();
  fill(tier.misses, from.misses());
  tier.read_latency = latency_of(from.read_latency());
  tier.write_latency = latency_of(from.write_latency());
  for (size_t i = 0; from.paths() != nullptr && i < from.paths()->size(); ++i)
    tier.paths.push_back(from.paths()->Get(static_cast<flatbuffers::uoffset_t>(i))->str());
  return tier;
}

}  // namespace

std::vector<BlockSpec> blocks_of(const flatbuffers::Vector<const Block*>* blocks) {
  std::vector<BlockSpec> specs;
  if (blocks == nullptr) return specs;
  specs.reserve(blocks->size());
  for (const Block* block : *blocks) {
    specs.push_back({key_of(block->key()),
                     block->bytes(),
                     key_of(block->family()),
                     {block->group(), block->shard(), block->shards()}});
  }
  return specs;
}

BlockList write_blocks(Builder& builder, std::span<const BlockSpec> blocks) {
  std::vector<Block> list;
  list.reserve(blocks.size());
  for (const BlockSpec& spec : blocks) {
    list.emplace_back(wire_key(spec.key), wire_key(spec.family), spec.bytes, spec.member.group,
                      spec.member.shard, spec.member.shards);
  }
  return builder.CreateVectorOfStructs(list);
}

terrace::Namespace namespace_of(const OpenNamespace& fields) {
  terrace::Namespace known;
  known.model_id = text_of(fields.model_id());
  known.model_fingerprint = text_of(fields.model_fingerprint());
  known.kv_dtype = text_of(fields.kv_dtype());
  known.layout_id = text_of(fields.layout_id());
  known.block_tokens = value_of(fields.block_tokens());
  known.producer = text_of(fields.producer());
  known.producer_version = value_of(fields.producer_version());
  known.adapter = text_of(fields.adapter());
  known.tenant_salt = text_of(fields.tenant_salt());
  known.groups = value_of(fields.groups());
  return known;
}

flatbuffers::Offset<OpenNamespace> write_namespace(Builder& builder, const terrace::Namespace& fields) {
  const auto model = write_text(builder, fields.model_id);
  const auto fingerprint = write_text(builder, fields.model_fingerprint);
  const auto dtype = write_text(builder, fields.kv_dtype), layout = write_text(builder, fields.layout_id);
  const auto producer = write_text(builder, fields.producer), adapter = write_text(builder, fields.adapter);
  const auto salt = write_text(builder, fields.tenant_salt);
  return CreateOpenNamespace(builder, model, fingerprint, dtype, layout, optional_of(fields.block_tokens),
                             producer, optional_of(fields.producer_version), adapter, salt,
                             optional_of(fields.groups));
}

flatbuffers::Offset<Stats> write_stats(Builder& builder, const StoreStats& stats) {
  std::vector<flatbuffers::Offset<TierFigures>> tiers;
  for (const TierStats& tier : stats.tiers) tiers.push_back(write_tier(builder, tier));
  const auto tier_list = builder.CreateVector(tiers);
  const auto pages = builder.CreateString(stats.page_state);
  const auto misses = builder.CreateVector(stats.misses, std::size(stats.misses));
  const KeyCounts& unknown = stats.of_no_namespace;
  const auto unknown_misses = builder.CreateVector(unknown.misses, std::size(unknown.misses));
  return CreateStats(builder, tier_list, pages, stats.keys_asked, stats.keys_delivered, misses, unknown.asked,
                     unknown.delivered, unknown_misses, stats.reservations, stats.reserved_bytes,
                     stats.leased_blocks, stats.writes_in_flight_bytes, stats.private_bytes,
                     stats.recovering);
}

StoreStats stats_of(const Stats& from) {
  StoreStats stats;
  for (size_t i = 0; from.tiers() != nullptr && i < from.tiers()->size(); ++i)
    stats.tiers.push_back(tier_of(*from.tiers()->Get(static_cast<flatbuffers::uoffset_t>(i))));
  stats.page_state = string_of(from.page_state());
  stats.keys_asked = from.keys_asked();
  stats.keys_delivered = from.keys_delivered();
  fill(stats.misses, from.misses());
  stats.of_no_namespace.asked = from.unknown_asked();
  stats.of_no_namespace.delivered = from.unknown_delivered();
  fill(stats.of_no_namespace.misses, from.unknown_misses());
  stats.reservations = from.reservations();
  stats.reserved_bytes = from.reserved_bytes();
  stats.leased_blocks = from.leased_blocks();
  stats.writes_in_flight_bytes = from.writes_in_flight_bytes();
  stats.private_bytes = from.private_bytes();
  stats.recovering = from.recovering();
  return stats;
}

}  // namespace terrace::wire
