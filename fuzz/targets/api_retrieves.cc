// The calls that ask for blocks.
#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz/targets/api_caller.h"

namespace terrace::fuzz {
namespace {

constexpr size_t kHeldMax = 6;
constexpr std::byte kUntouched{0xEE};

template <class T>
void keep(std::deque<T>& held, T one) {
  held.push_back(std::move(one));
  if (held.size() > kHeldMax) held.pop_front();
}

// One reason for each key that was not delivered, the first of them no hole's.
void check_reasons(size_t asked, size_t found, std::span<const MissReason> reasons) {
  TERRACE_ASSERT(found + reasons.size() == asked);
  for (size_t i = 0; i < reasons.size(); ++i) {
    TERRACE_ASSERT(reasons[i] != MissReason::kNone);
    TERRACE_ASSERT((reasons[i] == MissReason::kBehindHole) == (i > 0));
  }
}

}  // namespace

void Caller::lookup() {
  const auto asked = keys();
  auto found = store().lookup(asked, input_.one_in(2));
  if (!found) return;
  check_reasons(asked.size(), found->found, found->reasons);
  TERRACE_ASSERT(found->where.size() == found->found);
  keep(pins_, std::move(found->pin));
}

void Caller::lookup_families() {
  const auto asked = keys();
  FamilyLayout layout;
  layout.groups.resize(input_.below(4));
  for (FamilyGroup& group : layout.groups) {
    group.shards = input_.one_in(8) ? static_cast<uint32_t>(input_.number(4)) : input_.below(4);
    group.window = input_.one_in(8) ? static_cast<uint32_t>(input_.number(4)) : input_.below(4);
  }
  const auto found = store().lookup_families(asked, layout);
  if (!found) return;
  check_reasons(asked.size(), found->found, found->reasons);
  (void)needed_members(asked, layout, found->found);
}

void Caller::lookup_async() {
  const auto asked = keys();
  auto running = store().lookup_async(asked, timeout(), notify());
  if (running) keep(lookups_, std::move(*running));
}

void Caller::get() {
  const auto asked = keys();
  GetOptions how{.timeout = short_timeout()};
  if (input_.one_in(4)) how.write_back = static_cast<WriteBack>(input_.below(3));
  if (input_.one_in(4) && !tickets_.empty()) how.ticket = &tickets_.front();
  auto before = shadow_.moment(asked);
  auto got = store().get(asked, how);
  if (!got) return;
  check(*got, before, asked);
  keep(leased_, Leased{std::move(*got), std::move(before)});
}

void Caller::check(const Blocks& blocks, const Shadow::Moment& before, std::span<const Key> asked) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    TERRACE_ASSERT(asked.empty() || blocks[i].key == asked[i]);
    shadow_.check(blocks[i].key, before[i], blocks[i].bytes);
  }
  if (!asked.empty()) check_reasons(asked.size(), blocks.size(), blocks.reasons());
}

void Caller::get_async() {
  const auto asked = keys();
  GetOptions how{.timeout = timeout()};
  if (input_.one_in(4) && !tickets_.empty()) how.ticket = &tickets_.back();
  auto running = store().get_async(asked, how, notify());
  if (running) keep(gets_, Get{std::move(*running), shadow_.moment(asked)});
}

void Caller::get_into() {
  Into into;
  into.keys = keys();
  into.known_memory = !input_.one_in(3);
  for (size_t i = 0; i < into.keys.size() && i < 8; ++i) {
    if (!into.known_memory) {
      into.slices.push_back(slice());
      continue;
    }
    const uint64_t bytes = std::max<uint64_t>(1, size() % (16 * base::kKiB));
    if (!input_.one_in(4)) target_used_ = base::round_up(target_used_, base::kPage);
    if (target_used_ + bytes > target_.bytes.size()) return;
    into.slices.push_back({.region = target_.region, .offset = target_used_, .bytes = bytes});
    std::ranges::fill(std::span(target_.bytes).subspan(target_used_, bytes), kUntouched);
    target_used_ += bytes;
  }
  if (input_.one_in(16)) into.slices.push_back(slice());
  into.before = shadow_.moment(into.keys);
  auto running = store().get_into(into.keys, into.slices, {.timeout = timeout()}, notify());
  if (!running) return;
  into.operation = std::move(*running);
  keep(intos_, std::move(into));
}

void Caller::check_into(const Into& into) {
  if (!into.operation.ready()) return;
  const IntoResult result = into.operation.result();
  check_reasons(into.keys.size(), result.delivered, result.reasons);
  TERRACE_ASSERT(result.source.size() == result.delivered);
  for (size_t i = 0; i < result.delivered && into.known_memory; ++i) {
    const auto& to = into.slices[i];
    if (to.region != target_.region) continue;
    shadow_.check(into.keys[i], into.before[i], std::span(target_.bytes).subspan(to.offset, to.bytes));
  }
}

void Caller::get_stream() {
  if (!streams_.empty() && input_.one_in(2)) {
    const auto view = streams_.front().next();
    if (view) shadow_.check(view->key, {}, view->bytes);
    return;
  }
  const auto asked = keys();
  StreamOptions how{.window = size(), .timeout = short_timeout()};
  how.write_back = static_cast<WriteBack>(input_.below(3));
  auto stream = store().get_stream(asked, how);
  if (stream) keep(streams_, std::move(*stream));
}

void Caller::prefetch() {
  const auto asked = keys();
  PrefetchOptions how;
  if (input_.one_in(2)) how.policy = static_cast<PrefetchPolicy>(input_.below(2));
  if (input_.one_in(4)) how.write_back = static_cast<WriteBack>(input_.below(3));
  auto ticket = store().prefetch(asked, how, notify());
  if (ticket) keep(tickets_, std::move(*ticket));
}

void Caller::cancel() {
  const uint8_t what = input_.byte();
  if (what % 4 == 0 && !gets_.empty()) gets_.front().operation.cancel();
  if (what % 4 == 1 && !intos_.empty()) intos_.front().operation.cancel();
  if (what % 4 == 2 && !tickets_.empty()) tickets_.front().cancel();
  if (what % 4 == 3 && !lookups_.empty()) lookups_.front().cancel();
}

// Results of what ran; at times before it ended, or twice.
void Caller::take() {
  for (Get& get : gets_) {
    const bool ready = get.operation.ready();
    auto blocks = get.operation.take();
    TERRACE_ASSERT(!blocks || ready);
    if (!blocks) continue;
    TERRACE_ASSERT(!get.operation.take());
    check(*blocks, get.before, {});
    keep(leased_, Leased{std::move(*blocks), std::move(get.before)});
    get.before.clear();
  }
  for (const Into& into : intos_) check_into(into);
  for (LookupOperation& lookup : lookups_) (void)lookup.take();
  for (const PrefetchTicket& ticket : tickets_) {
    const auto progress = ticket.progress();
    TERRACE_ASSERT(progress.arrived + progress.failed <= progress.asked);
  }
}

// P3: until a lease ends, its bytes stay.
void Caller::drop() {
  switch (input_.below(8)) {
    case 0:
      if (!leased_.empty()) {
        check(leased_.front().blocks, leased_.front().before, {});
        if (input_.one_in(2)) leased_.front().blocks.release();
        leased_.pop_front();
      }
      break;
    case 1:
      if (!gets_.empty()) gets_.pop_front();
      break;
    case 2:
      if (!intos_.empty()) intos_.pop_front();
      break;
    case 3:
      if (!tickets_.empty()) tickets_.pop_front();
      break;
    case 4:
      if (!lookups_.empty()) lookups_.pop_front();
      break;
    case 5:
      if (!pins_.empty()) pins_.pop_front();
      break;
    case 6:
      if (!streams_.empty()) streams_.pop_front();
      break;
    default:
      if (!tickets_.empty()) tickets_.front().release();
  }
}

}  // namespace terrace::fuzz
