// The calls that give blocks to the store, and those that take them away.
#include "base/assert.h"
#include "base/bytes.h"
#include "fuzz/targets/api_caller.h"
#include "lab/kit/oracle.h"

namespace terrace::fuzz {
namespace {

constexpr size_t kReservationsMax = 12;

}  // namespace

void Caller::reserve() {
  const auto wanted = specs();
  const ReserveRequest request{
      .root = input_.one_in(8) ? key() : root_, .parent = input_.one_in(2) ? key() : Key{}, .blocks = wanted};
  auto answers = input_.one_in(4) ? store().reserve_wait(request, short_timeout()) : store().reserve(request);
  if (!answers) return;
  TERRACE_ASSERT(answers->size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    ReserveAnswer& answer = (*answers)[i];
    TERRACE_ASSERT((answer.outcome == ReserveOutcome::kBuffer) == static_cast<bool>(answer.reservation));
    if (!answer.reservation) continue;
    TERRACE_ASSERT(answer.reservation.key() == wanted[i].key &&
                   answer.reservation.bytes().size() == wanted[i].bytes);
    // Nobody may see these before a commit.
    lab::fill(wanted[i].key, lab::kPrivate | 1, answer.reservation.bytes());
    reservations_.push_back(std::move(answer.reservation));
  }
  while (reservations_.size() > kReservationsMax) reservations_.pop_front();
}

// Some of what is reserved; at times one that was taken before is among them.
void Caller::commit() {
  std::vector<Reservation> chosen;
  for (uint32_t i = input_.below(5); i > 0 && !reservations_.empty(); --i) {
    chosen.push_back(std::move(reservations_.front()));
    reservations_.pop_front();
  }
  if (input_.one_in(16)) chosen.emplace_back();
  for (Reservation& reservation : chosen) {
    if (reservation) shadow_.write(reservation.key(), reservation.bytes());
  }
  (void)store().commit(chosen, notify());
}

void Caller::abort() {
  if (reservations_.empty()) return;
  const size_t chosen = input_.below(static_cast<uint32_t>(reservations_.size()));
  if (input_.one_in(2)) reservations_[chosen].abort();
  reservations_.erase(reservations_.begin() + static_cast<ptrdiff_t>(chosen));
}

// From memory of their own, or, of keys nobody checks, from slices that may be anything.
void Caller::put() {
  auto wanted = specs();
  const bool hostile = input_.one_in(3);
  std::vector<RegionSlice> from;
  for (BlockSpec& spec : wanted) {
    if (from.size() == 8) break;
    if (hostile) {
      spec.key = Shadow::key(Shadow::kKeys + input_.below(4));
      from.push_back(slice());
      continue;
    }
    if (spec.bytes > 16 * base::kKiB) spec.bytes = 1;
    if (!input_.one_in(4)) source_used_ = base::round_up(source_used_, base::kPage);
    if (source_used_ + spec.bytes > source_.bytes.size()) return;
    from.push_back({.region = source_.region, .offset = source_used_, .bytes = spec.bytes});
    if (spec.bytes > 0) shadow_.write(spec.key, std::span(source_.bytes).subspan(source_used_, spec.bytes));
    source_used_ += spec.bytes;
  }
  if (hostile && input_.one_in(8)) from.push_back(slice());
  const ReserveRequest request{.root = root_, .parent = {}, .blocks = wanted};
  const auto outcomes = store().put(request, from, notify());
  TERRACE_ASSERT(!outcomes || outcomes->size() == wanted.size());
}

void Caller::remove() {
  const auto asked = keys();
  for (const Key& key : asked) shadow_.begin_remove(key);
  if (store().remove(asked, input_.one_in(4))) {
    for (const Key& key : asked) shadow_.end_remove(key);
  }
}

void Caller::clear() {
  ClearScope scope;
  const uint8_t what = input_.byte();
  if (what & 1) scope.root = what & 2 ? root_ : key();
  if (what & 4) scope.tenant_salt = what & 8 ? "salt" : "";
  scope.all = (what & 0x30) == 0x30;
  scope.erase = (what & 0x40) != 0;
  // Blocks may have been stored under any root: of what a scope covers nothing is said.
  for (uint32_t number = 0; number < Shadow::kKeys; ++number) shadow_.begin_remove(Shadow::key(number));
  const auto cleared = store().clear(scope);
  if (!cleared || !scope.all) return;
  for (uint32_t number = 0; number < Shadow::kKeys; ++number) shadow_.end_remove(Shadow::key(number));
}

}  // namespace terrace::fuzz
