#include "fuzz/targets/capi_caller.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz/targets/capi_sized.h"

namespace terrace::fuzz {
namespace {

constexpr uint32_t kChecked = 8, kKeys = 12;  // the keys from kChecked on are put with any bytes
constexpr size_t kMemoryBytes = 256 * base::kKiB;
constexpr size_t kHeldMax = 6;
constexpr uint8_t kUnwritten = 0xEE;
const std::byte kNoHandle{};
template <class Handle>
Handle* unwritten() {  // never followed: it stands where a refused call must not write
  return reinterpret_cast<Handle*>(const_cast<std::byte*>(&kNoHandle));
}

terrace_key numbered(uint32_t number) {
  terrace_key key{};
  std::ranges::fill(key.bytes, static_cast<uint8_t>(number + 1));
  return key;
}

bool is_right(const terrace_key& key, const void* data, uint64_t bytes) {
  if (key.bytes[0] > kChecked) return true;
  const std::span all(static_cast<const uint8_t*>(data), bytes);
  return std::ranges::all_of(all, [&](uint8_t byte) { return byte == key.bytes[0]; });
}

}  // namespace

CCaller::CCaller(lab::Machine& machine, Input& input)
    : machine_(machine),
      input_(input),
      store_{std::shared_ptr<Store>(std::shared_ptr<void>(), &machine.store())},
      memory_(kMemoryBytes + base::kPage) {
  terrace_queue* queue = nullptr;
  TERRACE_ASSERT(done(terrace_make_queue(&store_, &queue, &error_)));
  queue_.reset(queue);
  void* first = memory_.data();
  size_t bytes = memory_.size();
  first = std::align(base::kPage, kMemoryBytes, first, bytes);
  TERRACE_ASSERT(done(terrace_register_region(&store_, first, kMemoryBytes, &region_, &error_)));
}

CCaller::~CCaller() = default;

void CCaller::drop_all() {
  reservations_.clear();
  blocks_.clear();
  pins_.clear();
  lookups_.clear();
  gets_.clear();
  intos_.clear();
  tickets_.clear();
  queue_.reset();
}

bool CCaller::done(terrace_code code) {
  TERRACE_ASSERT(code >= TERRACE_OK && code < TERRACE_INTERNAL && code == error_.code);
  const auto* const end = std::ranges::find(error_.message, '\0');
  TERRACE_ASSERT(end != std::end(error_.message));
  TERRACE_ASSERT((end == std::begin(error_.message)) == (code == TERRACE_OK));
  return code == TERRACE_OK;
}

template <class Handle>
void CCaller::keep(Held<Handle>& held, Handle* handle) {
  held.emplace_back(handle);
  if (held.size() > kHeldMax) held.pop_front();
}

void CCaller::call() {
  using Call = void (CCaller::*)();
  // What matters most comes several times.
  static constexpr std::array kCalls{&CCaller::reserve,     &CCaller::commit,
                                     &CCaller::put,         &CCaller::get,
                                     &CCaller::get_into,    &CCaller::prefetch,
                                     &CCaller::operations,  &CCaller::take,
                                     &CCaller::lookup,      &CCaller::drop,
                                     &CCaller::names,       &CCaller::quotas,
                                     &CCaller::remove,      &CCaller::lookup_families,
                                     &CCaller::look_around, &CCaller::pass_time,
                                     &CCaller::reserve,     &CCaller::commit,
                                     &CCaller::get};
  const Call chosen = kCalls[input_.below(kCalls.size())];
  how_.store = input_.one_in(64) ? nullptr : &store_;
  how_.queue = input_.one_in(4) ? nullptr : queue_.get();
  how_.tag = input_.byte();
  how_.timeout = timeout();
  (this->*chosen)();
}

// --- arguments

template <class T>
const T* CCaller::list(const std::vector<T>& all, size_t& count) {
  count = all.size();
  const uint8_t what = input_.byte();
  if (what == 255) count = TERRACE_BATCH_MAX + input_.number(8) % (SIZE_MAX / 2) + 1;
  return what == 254 ? nullptr : all.data();
}

terrace_key CCaller::key() {
  return numbered(input_.below(kKeys));
}

std::vector<terrace_key> CCaller::keys() {
  std::vector<terrace_key> all;
  for (uint32_t i = input_.below(5); i > 0; --i) all.push_back(key());
  return all;
}

std::vector<terrace_slice> CCaller::slices(size_t count) {
  std::vector<terrace_slice> all;
  for (size_t i = 0; i < count; ++i) {
    const bool any = input_.one_in(16);
    terrace_slice& slice = all.emplace_back(terrace_slice{region_, i * base::kPage, 100});
    if (!any) continue;
    slice.region = input_.number(8);
    slice.offset = input_.number(8);
  }
  return all;
}

int64_t CCaller::timeout() {
  const uint8_t what = input_.byte();
  if (what >= 250) return static_cast<int64_t>(input_.number(8)) % (int64_t{1} << 36);  // about a minute
  return what * 100'000;
}

// --- calls that give and take blocks

void CCaller::reserve() {
  std::vector<terrace_block_spec> blocks;
  for (const terrace_key& key : keys()) {
    terrace_block_spec block{};
    block.key = key.bytes[0] > kChecked ? numbered(0) : key;
    block.bytes = input_.one_in(16) ? input_.number(8) : 100;
    if (input_.one_in(8)) block.family = key;
    if (input_.one_in(8)) block.member = {input_.byte(), input_.below(4), input_.below(4)};  // in this order
    block.reserved = input_.one_in(64);
    blocks.push_back(block);
  }
  Sized<terrace_reserve_request> request(input_);
  request->blocks = list(blocks, request->count);
  if (input_.one_in(4)) request->parent = key();
  std::array<uint8_t, 5> outcomes;
  outcomes.fill(kUnwritten);
  std::array<terrace_reservation*, 5> given;
  given.fill(unwritten<terrace_reservation>());
  uint8_t* const to = input_.one_in(64) ? nullptr : outcomes.data();
  const bool waits = input_.one_in(4);
  const bool reserved =
      done(waits ? terrace_reserve_wait(how_.store, request.given(), how_.timeout, to, given.data(), &error_)
                 : terrace_reserve(how_.store, request.given(), to, given.data(), &error_));
  for (size_t i = 0; i < given.size(); ++i) {
    if (!reserved || i >= blocks.size()) {
      TERRACE_ASSERT(outcomes[i] == kUnwritten && given[i] == unwritten<terrace_reservation>());
      continue;
    }
    TERRACE_ASSERT((outcomes[i] == TERRACE_RESERVE_BUFFER) == (given[i] != nullptr));
    if (given[i] == nullptr) continue;
    uint64_t bytes = 0;
    void* const buffer = terrace_reservation_buffer(given[i], &bytes);
    TERRACE_ASSERT(bytes == blocks[i].bytes);
    std::memset(buffer, blocks[i].key.bytes[0], bytes);
    keep(reservations_, given[i]);
  }
}

// Some of what is reserved; at times one twice.
void CCaller::commit() {
  std::vector<terrace_reservation*> chosen;
  for (uint32_t i = input_.below(5); i > 0 && !reservations_.empty(); --i) {
    chosen.push_back(reservations_.front().release());
    reservations_.pop_front();
  }
  if (input_.one_in(4)) chosen.push_back(nullptr);
  const bool twice = input_.one_in(16) && !chosen.empty() && chosen[0] != nullptr;
  if (twice) chosen.push_back(chosen[0]);
  const auto before = chosen;
  const bool committed =
      done(terrace_commit(how_.store, chosen.data(), chosen.size(), how_.queue, how_.tag, &error_));
  TERRACE_ASSERT(!committed || !twice);
  if (committed) {
    TERRACE_ASSERT(std::ranges::count(chosen, nullptr) == static_cast<ptrdiff_t>(chosen.size()));
    return;
  }
  TERRACE_ASSERT(chosen == before);
  if (twice) chosen.pop_back();
  for (terrace_reservation* reservation : chosen) {
    if (reservation != nullptr) keep(reservations_, reservation);
  }
}

void CCaller::put() {
  std::vector<terrace_block_spec> blocks(input_.below(4));
  for (terrace_block_spec& block : blocks) {
    block.key = numbered(kChecked + input_.below(kKeys - kChecked));
    block.bytes = input_.one_in(16) ? input_.number(4) : 100;
  }
  Sized<terrace_reserve_request> request(input_);
  request->blocks = list(blocks, request->count);
  auto from = slices(blocks.size());
  for (terrace_slice& slice : from) slice.offset += kMemoryBytes / 2;
  std::array<uint8_t, 4> outcomes;
  outcomes.fill(kUnwritten);
  const bool stored = done(
      terrace_put(how_.store, request.given(), from.data(), outcomes.data(), how_.queue, how_.tag, &error_));
  TERRACE_ASSERT(stored || outcomes[0] == kUnwritten);
}

void CCaller::remove() {
  uint64_t removed = 0;
  if (!input_.one_in(4)) {
    const auto all = keys();
    size_t count = 0;
    const terrace_key* const asked = list(all, count);
    (void)done(terrace_remove(how_.store, asked, count, input_.one_in(4), &removed, &error_));
    return;
  }
  Sized<terrace_clear_scope> scope(input_);
  const terrace_key root = key();
  if (input_.one_in(2)) scope->root = &root;
  if (input_.one_in(4)) scope->tenant_salt = "salt";
  scope->all = input_.below(3);
  scope->erase = input_.below(3);
  (void)done(terrace_clear(how_.store, scope.given(), nullptr, &error_));
}

// --- calls that ask for them

void CCaller::lookup() {
  const auto all = keys();
  size_t count = 0, found = SIZE_MAX;
  const terrace_key* const asked = list(all, count);
  std::array<uint16_t, 4> where{};
  std::array<uint8_t, 4> reasons;
  reasons.fill(kUnwritten);
  terrace_pin* pin = nullptr;
  const bool pins = input_.one_in(2);
  const bool answered = done(terrace_lookup(how_.store, asked, count, &found, where.data(), reasons.data(),
                                            pins ? &pin : nullptr, &error_));
  TERRACE_ASSERT(answered ? found <= all.size() : found == SIZE_MAX && reasons[0] == kUnwritten);
  for (size_t i = 0; answered && i < all.size(); ++i) {
    TERRACE_ASSERT((where[i] != 0) == (i < found) && (reasons[i] == TERRACE_MISS_NONE) == (i < found));
  }
  if (pin != nullptr) keep(pins_, pin);
}

void CCaller::lookup_families() {
  const auto all = keys();
  std::vector<terrace_family_group> spread(input_.below(4));
  for (terrace_family_group& group : spread) {
    group.shards = input_.one_in(8) ? static_cast<uint32_t>(input_.number(4)) : input_.below(4);
    group.window = input_.one_in(8) ? static_cast<uint32_t>(input_.number(4)) : input_.below(4);
  }
  size_t count = 0, groups = 0, found = 0, needed = 0;
  const terrace_key* const families = list(all, count);
  const terrace_family_group* const given = list(spread, groups);
  std::array<uint8_t, 4> reasons{};
  if (done(terrace_lookup_families(how_.store, families, count, given, groups, &found, reasons.data(),
                                   &error_)))
    TERRACE_ASSERT(found <= all.size());
  std::array<terrace_key, 16> members;
  (void)done(terrace_needed_members(families, count, given, groups, members.data(), members.size(), &needed,
                                    &error_));
  TERRACE_ASSERT(needed <= members.size());
}

void CCaller::get() {
  const auto all = keys();
  size_t count = 0;
  const terrace_key* const asked = list(all, count);
  Sized<terrace_get_options> options(input_);
  options->write_back = input_.below(5);
  options->reserved = input_.one_in(64);
  if (input_.one_in(4)) options->ticket = ticket();
  terrace_blocks* blocks = nullptr;
  if (!done(terrace_get(how_.store, asked, count, how_.timeout, options.given(), &blocks, &error_))) {
    TERRACE_ASSERT(blocks == nullptr);
    return;
  }
  check(blocks);
  keep(blocks_, blocks);
}

void CCaller::check(const terrace_blocks* blocks) const {
  size_t delivered = 0, asked = 0;
  const terrace_block* const all = terrace_blocks_list(blocks, &delivered);
  const uint8_t* const reasons = terrace_blocks_reasons(blocks, &asked);
  TERRACE_ASSERT(delivered <= asked);
  for (size_t i = 0; i < asked; ++i) {
    TERRACE_ASSERT((reasons[i] == TERRACE_MISS_NONE) == (i < delivered));
    if (i < delivered) TERRACE_ASSERT(is_right(all[i].key, all[i].data, all[i].bytes));
  }
}

void CCaller::get_into() {
  const auto all = keys();
  size_t count = 0;
  const terrace_key* const asked = list(all, count);
  const auto to = slices(all.size());
  Sized<terrace_get_options> options(input_);
  terrace_into_operation* operation = nullptr;
  if (done(terrace_get_into(how_.store, asked, to.data(), count, how_.timeout, options.given(), how_.queue,
                            how_.tag, &operation, &error_)))
    keep(intos_, operation);
  bool released = false;
  if (!intos_.empty() && input_.one_in(2))
    (void)done(terrace_into_wait(intos_.front().get(), how_.timeout, &released, &error_));
}

void CCaller::prefetch() {
  const auto all = keys();
  size_t count = 0;
  const terrace_key* const asked = list(all, count);
  Sized<terrace_prefetch_options> options(input_);
  options->policy = input_.below(4);
  options->write_back = input_.below(5);
  terrace_prefetch_ticket* ticket = nullptr;
  if (done(terrace_prefetch(how_.store, asked, count, options.given(), how_.queue, how_.tag, &ticket,
                            &error_)))
    keep(tickets_, ticket);
}

void CCaller::operations() {
  const auto all = keys();
  size_t count = 0;
  const terrace_key* const asked = list(all, count);
  terrace_get_operation* get = nullptr;
  if (done(terrace_get_async(how_.store, asked, count, how_.timeout, nullptr, how_.queue, 1, &get, &error_)))
    keep(gets_, get);
  terrace_lookup_operation* lookup = nullptr;
  if (done(terrace_lookup_async(how_.store, asked, count, how_.timeout, how_.queue, 2, &lookup, &error_)))
    keep(lookups_, lookup);
}

// Results of what ran; at times before it ended, or twice.
void CCaller::take() {
  for (const auto& get : gets_) {
    terrace_blocks* blocks = nullptr;
    if (!done(terrace_get_take(get.get(), &blocks, &error_))) continue;
    check(blocks);
    keep(blocks_, blocks);
  }
  size_t count = 0;
  std::array<uint16_t, 4> sources;
  std::array<uint8_t, 4> reasons;
  for (const auto& lookup : lookups_)
    (void)done(terrace_lookup_take(lookup.get(), &count, sources.data(), reasons.data(), &error_));
  for (const auto& into : intos_)
    (void)done(terrace_into_result(into.get(), &count, sources.data(), reasons.data(), &error_));
  terrace_progress progress{};
  for (const auto& ticket : tickets_) {
    TERRACE_ASSERT(done(terrace_prefetch_progress(ticket.get(), &progress, &error_)));
    TERRACE_ASSERT(progress.arrived + progress.failed <= progress.asked);
  }
}

void CCaller::drop() {
  const auto one = [](auto& held) {
    if (!held.empty()) held.pop_front();
  };
  switch (input_.below(9)) {
    case 0:
      if (!blocks_.empty()) check(blocks_.front().get());  // until a lease ends, its bytes stay
      return one(blocks_);
    case 1:
      return one(reservations_);
    case 2:
      return one(pins_);
    case 3:
      return one(lookups_);
    case 4:
      return one(gets_);
    case 5:
      return one(intos_);
    case 6:
      return one(tickets_);
    case 7:
      terrace_get_cancel(gets_.empty() ? nullptr : gets_.front().get());
      return terrace_into_cancel(intos_.empty() ? nullptr : intos_.front().get());
    default:
      terrace_prefetch_cancel(ticket());
      return terrace_lookup_cancel(lookups_.empty() ? nullptr : lookups_.front().get());
  }
}

// --- the rest

void CCaller::names() {
  Sized<terrace_namespace> fields(input_);
  const std::string text(text_of(input_.take(input_.below(32))));
  const uint32_t number = input_.byte();
  fields->model_id = input_.one_in(2) ? text.c_str() : nullptr;
  fields->tenant_salt = input_.one_in(4) ? text.c_str() : nullptr;
  fields->block_tokens = input_.one_in(2) ? &number : nullptr;
  terrace_key root = numbered(0);
  (void)done(terrace_open_namespace(how_.store, fields.given(), &root, &error_));
  const std::vector<uint32_t> tokens(input_.below(40), number);
  std::array<terrace_key, 8> keys;
  size_t count = 0;
  if (done(terrace_block_keys(&root, tokens.data(), tokens.size(), input_.below(8), keys.data(), keys.size(),
                              &count, &error_)))
    TERRACE_ASSERT(count <= keys.size());
  const terrace_bytes extra[] = {{text.data(), input_.one_in(16) ? size_t{0} : text.size()}};
  (void)done(
      terrace_next_family(&root, tokens.data(), tokens.size(), extra, input_.below(2), &root, &error_));
  (void)done(terrace_key_from_hex(text.c_str(), &root, &error_));
  const bool weak = input_.one_in(2), allowed = input_.one_in(2);
  (void)done(terrace_family_of_digest(&root, text.data(), text.size(), weak, allowed, &root, &error_));
}

void CCaller::quotas() {
  Sized<terrace_quota> quota(input_);
  const uint64_t bytes = input_.number(3);
  std::vector<terrace_tier_quota> tiers(input_.below(3), {input_.one_in(4) ? "tape" : "disk", bytes});
  if (input_.one_in(2)) quota->l1 = &bytes;
  if (input_.one_in(4)) quota->reserved = &bytes;
  if (input_.one_in(4)) quota->leased = &bytes;
  quota->tiers = list(tiers, quota->tier_count);
  (void)done(terrace_set_quota(how_.store, input_.one_in(4) ? "salt" : "", quota.given(), nullptr, &error_));
}

void CCaller::look_around() {
  std::array<terrace_completion, 80> events;
  size_t count = 0;
  const size_t wanted = input_.below(events.size() + 1);
  if (done(terrace_queue_wait(how_.queue, how_.timeout, events.data(), wanted, &count, &error_)))
    TERRACE_ASSERT(count <= wanted);
  char* json = nullptr;
  if (done(terrace_stats(how_.store, &json, &error_))) TERRACE_ASSERT(json[0] == '{');
  terrace_text_free(json);
  bool recovered = false;
  switch (input_.below(16)) {
    case 0:
      return (void)done(terrace_sync(how_.store, how_.timeout, &error_));
    case 1:
      return (void)done(terrace_wait_recovered(how_.store, how_.timeout, &recovered, &error_));
    case 2:
      return (void)done(terrace_unregister_region(how_.store, input_.number(1), &error_));
    case 3:
      return (void)done(terrace_close(how_.store, how_.timeout, nullptr, &error_));
    default:
      return;
  }
}

void CCaller::pass_time() {
  machine_.time().run_for(std::chrono::microseconds(input_.number(2)));
}

}  // namespace terrace::fuzz
