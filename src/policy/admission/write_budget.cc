// Bounds what is written by the second and by the day (P15), for disks that wear: two token buckets, one that
// holds a second's bytes and one that holds a day's. Both must have room; neither goes into debt, so in any
// window of that length at most twice its budget is written, and over a long time at most the budget's rate.
#include <algorithm>
#include <array>

#include "base/hooks.h"
#include "policy/admission.h"

namespace terrace::policy {
namespace {

constexpr double kSecond = 1e9;
constexpr double kDay = 86'400e9;

struct Bucket {
  double budget = 0;  // bytes; 0: unlimited
  double window = 0;  // nanoseconds
  double tokens = 0;

  void refill(double elapsed) { tokens = std::min(budget, tokens + budget * elapsed / window); }
  bool has(double bytes) const { return budget == 0 || tokens >= bytes; }
  void take(double bytes) { tokens -= budget == 0 ? 0 : bytes; }
};

class WriteBudgetAdmission final : public AdmissionPolicy {
 public:
  std::string_view name() const override { return "write_budget"; }

  void configure(const WriteBudget& budget) override {
    buckets_[0] = {static_cast<double>(budget.bytes_per_second), kSecond,
                   static_cast<double>(budget.bytes_per_second)};
    buckets_[1] = {static_cast<double>(budget.bytes_per_day), kDay,
                   static_cast<double>(budget.bytes_per_day)};
  }

  bool admit(const Key&, uint64_t bytes, uint64_t now) override {
    const auto wanted = static_cast<double>(bytes);
    const double elapsed = started_ ? static_cast<double>(now - last_) : 0;
    started_ = true;
    last_ = now;
    for (Bucket& bucket : buckets_) bucket.refill(elapsed);
    if (!std::ranges::all_of(buckets_, [&](const Bucket& bucket) { return bucket.has(wanted); }))
      return false;
    if (TERRACE_MUTANT("policy.spend_nothing")) return true;
    for (Bucket& bucket : buckets_) bucket.take(wanted);
    return true;
  }

 private:
  std::array<Bucket, 2> buckets_{};
  bool started_ = false;
  uint64_t last_ = 0;
};

}  // namespace

std::unique_ptr<AdmissionPolicy> make_admission_write_budget() {
  return std::make_unique<WriteBudgetAdmission>();
}

}  // namespace terrace::policy
