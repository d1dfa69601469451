// Admission policies: whether a tier takes a write that the store policy wants (P15). For tiers that wear.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <terrace/error.h>
#include <terrace/key.h>

namespace terrace::policy {

struct WriteBudget {
  uint64_t bytes_per_second = 0;  // 0: unlimited
  uint64_t bytes_per_day = 0;     // 0: unlimited
};

class AdmissionPolicy {
 public:
  virtual ~AdmissionPolicy() = default;
  virtual std::string_view name() const = 0;
  virtual void configure(const WriteBudget&) {}
  // Whether `bytes` are written now; `now` in nanoseconds, never decreasing. A block that is refused keeps
  // its descendants out too (S3), so what is stored of a chain is always whole from its head. Called under
  // the store's mutex.
  virtual bool admit(const Key& key, uint64_t bytes, uint64_t now) = 0;
};

// "always", "write_budget". Adding one is one file and one line of the registry (admission_registry.cc).
Outcome<std::unique_ptr<AdmissionPolicy>> make_admission_policy(std::string_view name);
std::vector<std::string_view> admission_policy_names();

}  // namespace terrace::policy
