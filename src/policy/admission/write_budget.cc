// Bounds what is written by the day (P15), for disks that wear, and by the second. Both must have room; what
// is refused is charged to neither.
//
// The day: what the last 24 hours took, in slots of a 64th of a day, must leave room. So no day has more than
// its budget, whenever it begins, and one that is always asked for uses all but a 64th of it.
// The second: a token bucket that holds a second's bytes and goes into no debt. A rate is kept however large
// the blocks are; one second may have what the one before it left over.
#include <algorithm>
#include <array>
#include <utility>

#include "base/hooks.h"
#include "policy/admission.h"

namespace terrace::policy {
namespace {

constexpr double kSecond = 1e9;  // nanoseconds, as all times here
constexpr uint64_t kDay = 86'400ull * 1'000'000'000;

class SecondBudget {
 public:
  explicit SecondBudget(uint64_t bytes) : budget_(static_cast<double>(bytes)), tokens_(budget_) {}

  void move_to(uint64_t now) {
    const double elapsed = started_ ? static_cast<double>(now - last_) : 0;
    started_ = true;
    last_ = now;
    tokens_ = std::min(budget_, tokens_ + budget_ * elapsed / kSecond);
  }
  bool has(uint64_t bytes) const { return budget_ == 0 || tokens_ >= static_cast<double>(bytes); }
  void take(uint64_t bytes) { tokens_ -= budget_ == 0 ? 0 : static_cast<double>(bytes); }

 private:
  double budget_;  // bytes; 0: unlimited
  double tokens_;
  bool started_ = false;
  uint64_t last_ = 0;
};

class DayBudget {
 public:
  explicit DayBudget(uint64_t bytes) : budget_(bytes) {}

  // Forgets what is older than a day.
  void move_to(uint64_t now) {
    const uint64_t slot = now / kSlot;
    for (uint64_t steps = std::min<uint64_t>(slot - std::min(slot, last_), spent_.size()); steps > 0; --steps)
      all_ -= std::exchange(spent_[(slot - steps + 1) % spent_.size()], 0);
    last_ = std::max(last_, slot);
  }
  bool has(uint64_t bytes) const { return budget_ == 0 || bytes <= budget_ - all_; }
  void take(uint64_t bytes) {
    if (budget_ == 0) return;
    spent_[last_ % spent_.size()] += bytes;
    all_ += bytes;
  }

 private:
  static constexpr uint64_t kSlots = 64, kSlot = kDay / kSlots;

  uint64_t budget_;  // bytes; 0: unlimited
  uint64_t last_ = 0;
  uint64_t all_ = 0;
  std::array<uint64_t, kSlots + 1> spent_{};  // the slot that runs, and a whole day before it
};

class WriteBudgetAdmission final : public AdmissionPolicy {
 public:
  std::string_view name() const override { return "write_budget"; }

  void configure(const WriteBudget& budget) override {
    second_ = SecondBudget(budget.bytes_per_second);
    day_ = DayBudget(budget.bytes_per_day);
  }

  bool admit(const Key&, uint64_t bytes, uint64_t now) override {
    second_.move_to(now);
    day_.move_to(now);
    if (!second_.has(bytes) || !day_.has(bytes)) return false;
    if (TERRACE_MUTANT("policy.spend_nothing")) return true;
    second_.take(bytes);
    day_.take(bytes);
    return true;
  }

 private:
  SecondBudget second_{0};
  DayBudget day_{0};
};

}  // namespace

std::unique_ptr<AdmissionPolicy> make_admission_write_budget() {
  return std::make_unique<WriteBudgetAdmission>();
}

}  // namespace terrace::policy
