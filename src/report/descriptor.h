// The ten fields of a namespace, by name (K1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <terrace/key.h>

namespace terrace::report {

struct DescriptorField {
  std::string name;                  // "model_id"; a tenant's salt is "tenant_salt_sha256"
  std::optional<std::string> value;  // numbers in decimal
};

// In K1's order. The salt is expected hashed, as tiers remember it.
std::vector<DescriptorField> descriptor_fields(const Namespace& fields);

struct FieldDifference {
  std::string name;
  std::optional<std::string> asked, stored;
};

std::vector<FieldDifference> differences(const Namespace& asked, const Namespace& stored);

}  // namespace terrace::report
