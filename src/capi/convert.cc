#include "capi/convert.h"

#include <algorithm>

#include <fmt/format.h>

#include "capi/check.h"
#include "capi/handles.h"

namespace terrace::capi {

Outcome<Notify> notify_of(const terrace_store& store, const terrace_queue* queue, uint64_t tag) {
  if (queue == nullptr) return Notify{};
  if (queue->store != store.store) {
    return failure(Code::kInvalidArgument, "queue is another store's: it has to be one of this store");
  }
  return Notify{queue->queue, tag};
}

std::optional<WriteBack> write_back_of(uint32_t number) {
  if (number == TERRACE_WRITE_BACK_STORE) return std::nullopt;
  return static_cast<WriteBack>(number - 1);
}

Outcome<GetOptions> get_options_of(const terrace_get_options* options, int64_t timeout_ns) {
  const auto read = read_sized(options, "options");
  if (!read) return std::unexpected(read.error());
  const Answer allowed = Check()
                             .timeout_or_stores(timeout_ns)
                             .choice(read->write_back, TERRACE_WRITE_BACK_SECOND_TOUCH, "options.write_back")
                             .choice(read->reserved, 0, "options.reserved");
  if (!allowed) return std::unexpected(allowed.error());
  GetOptions how{.timeout = Timeout(timeout_ns), .write_back = write_back_of(read->write_back)};
  if (read->ticket != nullptr) how.ticket = &read->ticket->ticket;
  return how;
}

Outcome<Member> member_of(const terrace_member& member, const char* name) {
  if (member.group == 0 && member.shard == 0 && member.shards == 0) return Member{};
  if (member.shard >= member.shards) {
    return failure(Code::kInvalidArgument, fmt::format("{}.shard is {} of {} shards: it has to be below them",
                                                       name, member.shard, member.shards));
  }
  return Member{member.group, member.shard, member.shards};
}

std::vector<RegionSlice> slices_of(const terrace_slice* slices, size_t count) {
  std::vector<RegionSlice> all;
  all.reserve(count);
  for (const terrace_slice& slice : std::span(slices, count)) {
    all.push_back({slice.region, slice.offset, slice.bytes});
  }
  return all;
}

void write_reasons(uint8_t* to, size_t done, std::span<const MissReason> reasons) {
  if (to == nullptr) return;
  to = std::fill_n(to, done, uint8_t{TERRACE_MISS_NONE});
  std::ranges::transform(reasons, to, [](MissReason reason) { return static_cast<uint8_t>(reason); });
}

void write_numbers(uint16_t* to, std::span<const uint16_t> first, size_t count) {
  if (to == nullptr) return;
  to = std::ranges::copy(first, to).out;
  std::fill_n(to, count - first.size(), uint16_t{0});
}

}  // namespace terrace::capi
